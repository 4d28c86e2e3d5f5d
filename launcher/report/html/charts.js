/* charts.js - elements, numbers as text, and the three charts of the report as SVG.
 *
 * Texts from the data reach the page as text nodes only. A chart is drawn for the width it has, and again when that changes, so
 * that its letters keep their size on a phone. Colours are the style sheet's variables: both colour schemes come for free. */

/* ---- elements -------------------------------------------------------------------------------------------------------- */

const SVG = document.getElementById("svg").namespaceURI;

function fill(node, attributes, children) {
    for (const [key, value] of Object.entries(attributes || {})) {
        if (key === "style") Object.assign(node.style, value);
        else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
        else if (value !== null && value !== undefined) node.setAttribute(key, value);
    }
    for (const child of children.flat()) if (child !== null && child !== undefined) node.append(child);
    return node;
}

const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
const byId = id => document.getElementById(id);

/* ---- numbers --------------------------------------------------------------------------------------------------------- */

const NONE = "\u2013",
    THIN = "\u202f";
const isNumber = x => typeof x === "number" && isFinite(x);
const minus = text => text.replace("-", "\u2212");
const fixed = (x, digits) => (isNumber(x) ? minus(x.toFixed(digits)) : NONE);
const count = x =>
    isNumber(x)
        ? minus(
              Math.round(x)
                  .toString()
                  .replace(/\B(?=(\d{3})+$)/g, ",")
          )
        : NONE;
const percent = (x, digits = 2) => (isNumber(x) ? fixed(100 * x, digits) + THIN + "%" : NONE);
/* A change in %, with its sign; what rounds to nothing has none. */
function change(x, digits = 2) {
    if (!isNumber(x)) return NONE;
    const text = (100 * x).toFixed(digits);
    return (Number(text) === 0 ? "\u00b1" + Math.abs(text).toFixed(digits) : (x > 0 ? "+" : "") + minus(text)) + THIN + "%";
}
const times = x => (isNumber(x) ? fixed(x, x < 9.95 ? 2 : 1) + "\u00d7" : NONE);
/* Three digits and a unit. */
function short(x) {
    if (!isNumber(x)) return NONE;
    for (const [size, unit] of [
        [1e12, "T"],
        [1e9, "G"],
        [1e6, "M"],
        [1e4, "k"],
    ])
        if (Math.abs(x) >= size)
            return (
                fixed(x / (size === 1e4 ? 1e3 : size), Math.abs(x) < 100 * (size === 1e4 ? 1e3 : size) ? 1 : 0) + THIN + unit
            );
    return Math.abs(x) >= 100 || Number.isInteger(x) ? count(x) : fixed(x, 1);
}
const bytes = x =>
    isNumber(x)
        ? x >= 1 << 30
            ? fixed(x / (1 << 30), 2) + THIN + "GiB"
            : x >= 1 << 20
              ? fixed(x / (1 << 20), 0) + THIN + "MiB"
              : x >= 1 << 14
                ? fixed(x / 1024, 1) + THIN + "KiB"
                : count(x) + THIN + "B"
        : NONE;
const seconds = x =>
    !isNumber(x)
        ? NONE
        : x < 100
          ? fixed(x, x < 10 ? 2 : 1) + THIN + "s"
          : x < 7200
            ? fixed(x / 60, 1) + THIN + "min"
            : fixed(x / 3600, 1) + THIN + "h";
const mean = list => list.reduce((a, b) => a + b, 0) / list.length;

/* ---- keys: a colour and a shape for every variant --------------------------------------------------------------------- */

const COLOURS = 9;
const SHAPES = [
    "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0z",
    "M-4.6-4.6h9.2v9.2h-9.2z",
    "M0-5.6L5.4 4.4H-5.4z",
    "M0-6L6 0L0 6L-6 0z",
    "M0 5.6L5.4-4.4H-5.4z",
    "M-2-5.5h4v3.5h3.5v4h-3.5v3.5h-4v-3.5h-3.5v-4h3.5z",
    "M-3-5.4h6L6 0L3 5.4h-6L-6 0z",
];
const colour = i => `var(--c${i % COLOURS})`;
const shape = i => SHAPES[(i + Math.floor(i / COLOURS)) % SHAPES.length];
const key = (i, name = "key") =>
    svg(
        "svg",
        {class: name, viewBox: "-7 -7 14 14", "aria-hidden": "true"},
        svg("path", {d: shape(i), style: {fill: colour(i)}})
    );

/* ---- the tooltip ----------------------------------------------------------------------------------------------------- */

const tip = byId("tip");

function tipShow(x, y, head, rows) {
    tip.replaceChildren(
        el("div", {class: "head"}, head),
        ...rows.map(([a, b, i]) =>
            el("div", {class: "row"}, el("span", {}, i === undefined ? null : key(i), a), el("span", {}, b))
        )
    );
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    tip.style.left = Math.max(8, Math.min(x + 14, innerWidth - box.width - 8)) + "px";
    tip.style.top = (y + 18 + box.height > innerHeight ? Math.max(8, y - box.height - 14) : y + 18) + "px";
}

const tipHide = () => {
    tip.hidden = true;
};

/* A mark that tells more when it is pointed at or has the focus. */
function tipOn(node, head, rows) {
    node.addEventListener("pointermove", event => tipShow(event.clientX, event.clientY, head, rows));
    node.addEventListener("pointerleave", tipHide);
    node.addEventListener("focus", () => {
        const box = node.getBoundingClientRect();
        tipShow(box.right, box.bottom - 10, head, rows);
    });
    node.addEventListener("blur", tipHide);
    node.setAttribute("tabindex", "0");
    node.setAttribute("aria-label", head + ": " + rows.map(row => row[0] + " " + row[1]).join(", "));
    return node;
}

/* ---- axes ------------------------------------------------------------------------------------------------------------ */

/* Round values from low to high, about n of them, and the digits they need. */
function ticks(low, high, n) {
    const raw = (high - low) / Math.max(n, 1) || 1,
        power = 10 ** Math.floor(Math.log10(raw));
    const step = power * [1, 2, 2.5, 5, 10].find(m => m * power >= raw * 0.999);
    let digits = Math.max(0, -Math.floor(Math.log10(step)));
    if (Math.abs(step * 10 ** digits - Math.round(step * 10 ** digits)) > 1e-6) digits++;
    const list = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) list.push(i * step);
    return {list, step, digits};
}

const scale = (from, to, low, high) => x => low + ((x - from) / (to - from || 1)) * (high - low);

/* Draw into `figure` now and whenever its width changes. draw(width) returns the SVG's children and its height. */
function responsive(figure, label, draw) {
    const node = svg("svg", {class: "chart", role: "img", "aria-label": label});
    let drawn = 0;
    const again = () => {
        const width = Math.floor(figure.clientWidth);
        if (width < 40 || width === drawn) return;
        drawn = width;
        const {children, height} = draw(width);
        node.setAttribute("viewBox", `0 0 ${width} ${height}`);
        node.replaceChildren(...children);
    };
    figure.append(node);
    again();
    new ResizeObserver(again).observe(figure);
    return () => {
        drawn = 0;
        again();
    };
}

/* Grid, ticks and titles of a plot area {x0, x1, y0, y1} (y0 below y1) with domains x and y. */
function axes(area, x, y, options) {
    const sx = scale(x[0], x[1], area.x0, area.x1),
        sy = scale(y[0], y[1], area.y0, area.y1),
        out = [];
    const tx = ticks(x[0], x[1], (area.x1 - area.x0) / 80),
        ty = ticks(y[0], y[1], (area.y0 - area.y1) / 52);
    for (const t of ty.list) {
        out.push(svg("line", {class: "grid", x1: area.x0, x2: area.x1, y1: sy(t), y2: sy(t)}));
        out.push(svg("text", {x: area.x0 - 8, y: sy(t) + 4, "text-anchor": "end"}, options.y(t, ty.digits)));
    }
    for (const t of tx.list) {
        if (options.gridX) out.push(svg("line", {class: "grid", x1: sx(t), x2: sx(t), y1: area.y0, y2: area.y1}));
        out.push(svg("text", {x: sx(t), y: area.y0 + 18, "text-anchor": "middle"}, options.x(t, tx.digits)));
    }
    out.push(svg("line", {class: "frame", x1: area.x0, x2: area.x1, y1: area.y0, y2: area.y0}));
    out.push(svg("text", {class: "title", x: area.x1, y: area.y0 + 36, "text-anchor": "end"}, options.titleX));
    return {sx, sy, out};
}

/* ---- charts ---------------------------------------------------------------------------------------------------------- */

/* Keys of a chart's series that switch them off and on. */
function legend(series, hidden, redraw) {
    return el(
        "div",
        {class: "legend"},
        series.map(s =>
            el(
                "button",
                {
                    type: "button",
                    "aria-pressed": "true",
                    onclick: event => {
                        if (!hidden.delete(s.index) && hidden.size < series.length - 1) hidden.add(s.index);
                        event.currentTarget.setAttribute("aria-pressed", String(!hidden.has(s.index)));
                        redraw();
                    },
                },
                key(s.index),
                s.name
            )
        )
    );
}

/* Lines over a common x, each with a band: series {index, name, points: [{x, y, low, high, later}], marks: [{x, y}]}; from the first point that is
 * `later` on a line is dashed, and begins anew. options: label, titleX, x, y
 * (texts of a value and of its digits), domainX, domainY from the visible series, step (outlines of bins), head(point),
 * value(point). */
function lineChart(figure, series, options) {
    const hidden = new Set();
    const redraw = responsive(figure, options.label, width => {
        const visible = series.filter(s => !hidden.has(s.index));
        const area = {x0: 52, x1: width - 8, y0: 262, y1: 10};
        const x = options.domainX,
            y = options.domainY(visible);
        const {sx, sy, out} = axes(area, x, y, options);
        const clip = figure.id + "-clip";
        out.push(
            svg(
                "clipPath",
                {id: clip},
                svg("rect", {x: area.x0, y: area.y1, width: area.x1 - area.x0, height: area.y0 - area.y1 + 1})
            )
        );
        const lines = svg("g", {"clip-path": `url(#${clip})`});
        for (const s of visible.flatMap(s => [
            {...s, points: s.points.filter(p => !p.later)},
            {...s, points: s.points.filter(p => p.later), later: true},
        ])) {
            if (!s.points.length) continue;
            const at = p => sx(p.x).toFixed(1) + " " + sy(p.y).toFixed(1);
            const d = options.step
                ? s.points
                      .map(
                          (p, i) => (i ? "V" : "M" + sx(p.x).toFixed(1) + " ") + sy(p.y).toFixed(1) + "H" + sx(p.end).toFixed(1)
                      )
                      .join("")
                : "M" + s.points.map(at).join("L");
            if (s.points.some(p => p.high > p.low))
                lines.append(
                    svg("path", {
                        d:
                            "M" +
                            s.points.map(p => sx(p.x).toFixed(1) + " " + sy(p.high).toFixed(1)).join("L") +
                            "L" +
                            s.points
                                .slice()
                                .reverse()
                                .map(p => sx(p.x).toFixed(1) + " " + sy(p.low).toFixed(1))
                                .join("L") +
                            "z",
                        style: {fill: colour(s.index), opacity: 0.13},
                    })
                );
            lines.append(svg("path", {class: s.later ? "line later" : "line", d, style: {stroke: colour(s.index)}}));
        }
        for (const s of visible)
            for (const mark of s.marks || [])
                lines.append(svg("circle", {cx: sx(mark.x), cy: sy(mark.y), r: 4.5, style: {fill: colour(s.index)}}));
        const cross = svg("line", {class: "cross", y1: area.y0, y2: area.y1, visibility: "hidden"});
        const hit = svg("rect", {class: "hit", x: area.x0, y: area.y1, width: area.x1 - area.x0, height: area.y0 - area.y1});
        hit.addEventListener("pointermove", event => {
            const box = hit.getBoundingClientRect(),
                value = x[0] + ((event.clientX - box.left) / box.width) * (x[1] - x[0]);
            const near = visible.map(s =>
                s.points.reduce((best, p) =>
                    Math.abs((options.step ? (p.x + p.end) / 2 : p.x) - value) <
                    Math.abs((options.step ? (best.x + best.end) / 2 : best.x) - value)
                        ? p
                        : best
                )
            );
            const first = near[0],
                place = sx(options.step ? (first.x + first.end) / 2 : value);
            cross.setAttribute("x1", place);
            cross.setAttribute("x2", place);
            cross.setAttribute("visibility", "visible");
            tipShow(
                event.clientX,
                event.clientY,
                options.head(options.step ? first : {x: value}),
                visible.map((s, i) => [s.name, options.value(near[i]), s.index])
            );
        });
        hit.addEventListener("pointerleave", () => {
            cross.setAttribute("visibility", "hidden");
            tipHide();
        });
        return {children: [...out, lines, cross, hit], height: 304};
    });
    if (series.length > 1) figure.append(legend(series, hidden, redraw));
    return redraw;
}

/* Where a point's label goes: the first of right, left, above, below that stays in the area and on nothing placed before. */
function place(label, px, py, area, taken) {
    const w = 6.9 * label.length + 4,
        h = 15;
    const free = box =>
        box.x >= area.x0 - 4 &&
        box.x + box.w <= area.x1 + 4 &&
        box.y >= area.y1 - 4 &&
        box.y + box.h <= area.y0 &&
        !taken.some(t => box.x < t.x + t.w && t.x < box.x + box.w && box.y < t.y + t.h && t.y < box.y + box.h);
    const boxes = [
        [10, -h - 3],
        [-w - 8, -h - 3],
        [10, 4],
        [-w - 8, 4],
        [-w / 2, -h - 9],
        [-w / 2, 10],
        [10, -h - 18],
        [10, 18],
    ].map(([dx, dy]) => ({x: px + dx, y: py + dy, w, h}));
    const box = boxes.find(free);
    if (box) taken.push(box);
    return box;
}

/* Points with error bars on both axes: points {index, name, label, x, y, xs: [low, high], ys, head, rows}, each with its key in
 * the legend, and lines: [positions of points in the order in which a line joins them]. Nothing of the chart is left out of its
 * domain. */
function scatterChart(figure, points, lines, options) {
    responsive(figure, options.label, width => {
        const area = {x0: 58, x1: width - 10, y0: width < 500 ? 330 : 400, y1: 12};
        const domain = (values, includeZero) => {
            const all = values
                    .flat()
                    .filter(isNumber)
                    .concat(includeZero ? [0] : []),
                low = Math.min(...all),
                high = Math.max(...all);
            const pad = 0.09 * (high - low) || 0.1 * Math.abs(high) || 1;
            return [low - pad, high + pad];
        };
        const x = domain(
                points.map(p => [p.x, ...p.xs]),
                true
            ),
            y = domain(points.map(p => [p.y, ...p.ys]));
        const {sx, sy, out} = axes(area, x, y, {...options, gridX: true});
        out.push(svg("line", {class: "zero", x1: sx(0), x2: sx(0), y1: area.y0, y2: area.y1}));
        out.push(svg("text", {class: "title", x: area.x0 + 4, y: area.y1 + 6}, options.titleY));
        out.push(svg("text", {x: area.x0 + 6, y: area.y0 - 9}, "\u2199 better"));
        const taken = [
            {x: area.x0, y: area.y1 - 8, w: 7 * options.titleY.length, h: 20},
            {x: area.x0, y: area.y0 - 24, w: 62, h: 24},
            ...points.map(p => ({x: sx(p.x) - 6, y: sy(p.y) - 6, w: 12, h: 12})),
        ];
        for (const line of lines) {
            const d = "M" + line.map(i => sx(points[i].x).toFixed(1) + " " + sy(points[i].y).toFixed(1)).join("L");
            out.push(svg("path", {class: "line", d, style: {stroke: "var(--faint)", opacity: 0.6}}));
        }
        for (const p of points) {
            const style = {stroke: colour(p.index)};
            if (p.xs.length)
                out.push(svg("line", {class: "error", x1: sx(p.xs[0]), x2: sx(p.xs[1]), y1: sy(p.y), y2: sy(p.y), style}));
            if (p.ys.length)
                out.push(svg("line", {class: "error", x1: sx(p.x), x2: sx(p.x), y1: sy(p.ys[0]), y2: sy(p.ys[1]), style}));
        }
        for (const p of points) {
            const mark = svg(
                "g",
                {class: "mark", transform: `translate(${sx(p.x).toFixed(1)} ${sy(p.y).toFixed(1)})`},
                svg("circle", {r: 16, style: {fill: "transparent"}}),
                svg("path", {d: shape(p.index), style: {fill: colour(p.index), stroke: "var(--paper)", strokeWidth: 1.5}})
            );
            out.push(tipOn(mark, p.head, p.rows));
            const box = place(p.label, sx(p.x), sy(p.y), area, taken);
            if (box) out.push(svg("text", {class: "label", x: box.x + 2, y: box.y + 12}, p.label));
        }
        return {children: out, height: area.y0 + 42};
    });
    figure.append(
        el(
            "div",
            {class: "legend"},
            points.map(p => el("span", {style: {padding: "3px 8px"}}, key(p.index), p.name))
        )
    );
}
