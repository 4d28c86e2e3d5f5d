/* details.js - the sections behind the comparison: learning, probes, slices, examples, runs; and the order in which all are filled. */

/* ---- learning ------------------------------------------------------------------------------------------------------------ */

/* Mean and range over the replicas of a variant, point by point. Points after the first pass are training loss: `later`. */
function meanCurve(v, axis, field) {
    const curves = (v.runs || []).map(run => run.curve).filter(c => c && c[axis].length);
    if (!curves.length) return [];
    return curves[0][axis]
        .slice(0, Math.min(...curves.map(c => c[axis].length)))
        .map((_, i) => {
            const later = curves.some(c => isNumber(c.first_points) && i >= c.first_points);
            const values = curves
                .map(c => (later && field === "progressive_logloss" ? c.training_logloss : c[field])[i])
                .filter(isNumber);
            return {
                x: mean(curves.map(c => c[axis][i])),
                y: values.length ? mean(values) : NaN,
                low: Math.min(...values),
                high: Math.max(...values),
                later,
            };
        })
        .filter(p => isNumber(p.x) && isNumber(p.y));
}

function learningSection() {
    const withCurve = variants.filter(v => meanCurve(v, "step", "progressive_logloss").length > 1);
    if (!withCurve.length) return drop("learning");
    const all = withCurve.flatMap(v => meanCurve(v, "step", "logloss"));
    const hasLater = all.some(p => p.later);
    const isOld = variants.some(v => (v.runs || []).some(run => run.curve && !isNumber(run.curve.first_points)));
    const name = hasLater ? "Progressive and training logloss" : "Progressive logloss";
    const fields = [
        ["progressive_logloss", hasLater ? "mean since the pass began" : "mean since the start"],
        ["logloss", "interval by interval"],
    ];
    if (hasLater)
        byId("learning-lead").append(
            " Dashed: later epochs, where the model has learned from the labels of these examples before. That is training loss, " +
                "and falls where nothing is gained on new examples."
        );
    if (withCurve.some(v => v.teaching) && withCurve.some(v => !v.teaching))
        byId("learning-lead").append(
            " Students are not to be compared with the others here: their teacher has learned from the labels of examples that are " +
                "still to come, so that their progressive loss is low whatever they gain by it. The evaluation split tells."
        );
    if (isOld)
        byId("learning-lead").append(
            " Runs of an older Smelter do not say which examples were seen for the first time: their curves are over all visits."
        );
    const draw = field => {
        for (const [id, axis, caption, title, text] of [
            ["learning-steps", "step", name + " against steps", "global steps", t => short(t)],
            [
                "learning-seconds",
                "seconds",
                name + " against time",
                "seconds of training",
                (t, digits) => fixed(t, digits || 0),
            ],
        ]) {
            const series = withCurve.map(v => ({
                index: v.index,
                name: v.name + (v.teaching ? " (student)" : ""),
                points: meanCurve(v, axis, field),
            }));
            const figure = byId(id).cloneNode(false);
            byId(id).replaceWith(figure);
            figure.append(el("figcaption", {}, caption, " ", el("span", {}, fields.find(f => f[0] === field)[1])));
            lineChart(figure, series, {
                label: caption,
                titleX: title,
                domainX: [0, Math.max(...series.flatMap(s => s.points.map(p => p.x)))],
                /* The first tenth falls from far above; what is compared is the rest. */
                domainY: visible => {
                    const late = visible.flatMap(s => s.points.slice(Math.floor(s.points.length / 10)));
                    const low = Math.min(...visible.flatMap(s => s.points.map(p => p.low))),
                        high = Math.max(...late.map(p => p.high));
                    return [low - 0.04 * (high - low), high + 0.04 * (high - low)];
                },
                x: text,
                y: (t, digits) => fixed(t, digits),
                value: p => fixed(p.y, 5) + (p.later ? " in training" : ""),
                head: p => (axis === "step" ? "step " + count(p.x) : "after " + seconds(p.x)),
            });
        }
        [...byId("learning-mode").children].forEach((button, i) =>
            button.setAttribute("aria-pressed", String(fields[i][0] === field))
        );
    };
    byId("learning-mode").append(
        ...fields.map(([field, text]) =>
            el("button", {type: "button", onclick: () => draw(field)}, text[0].toUpperCase() + text.slice(1))
        )
    );
    draw(fields[0][0]);
}

/* ---- evaluations --------------------------------------------------------------------------------------------------------- */

const EVALUATED = [
    ["logloss", "Logloss", 1],
    ["auc", "AUC", -1],
];

const evaluationsOf = v => (v.runs || []).map(run => run.validation).filter(c => c && c.step.length);

/* Mean and range over the replicas that were evaluated before a step: those that stopped early have no more. */
function evaluationCurve(v, field) {
    const curves = evaluationsOf(v);
    const steps = [...new Set(curves.flatMap(c => c.step))].sort((a, b) => a - b);
    return steps
        .map(x => {
            const values = curves.map(c => c[field][c.step.indexOf(x)]).filter(isNumber);
            return {x, y: mean(values), low: Math.min(...values), high: Math.max(...values), runs: values.length};
        })
        .filter(p => isNumber(p.y));
}

/* The evaluation that a run ends with, or, without patience, its best one. */
function bestEvaluation(curve, field, sign) {
    const known = curve.step.map((x, i) => ({x, y: curve[field][i]})).filter(p => isNumber(p.y));
    const deployed = known.find(p => p.x === curve.best_step);
    return deployed || known.reduce((best, p) => (!best || sign * p.y < sign * best.y ? p : best), null);
}

function validationSection() {
    const evaluated = variants.filter(v => evaluationCurve(v, "logloss").length > 1);
    if (!evaluated.length) return drop("validation");
    const fields = EVALUATED.filter(([field]) => evaluated.some(v => evaluationCurve(v, field).length > 1));
    const all = evaluated.flatMap(v => evaluationsOf(v));
    const sizes = [...new Set(all.map(c => count(c.examples)))];
    const stops = all.some(c => c.best_step || c.stopped_at);
    byId("validation-lead").append(
        `Over ${sizes.join(" or ")} examples. ` +
            (stops
                ? "Dots mark the evaluation whose parameters a run ends with, or the best one of a run that ends with its last step."
                : "Dots mark the best evaluation of each run.")
    );
    const draw = (field, title, sign) => {
        const series = evaluated
            .map(v => ({
                index: v.index,
                name: v.name,
                points: evaluationCurve(v, field),
                marks: evaluationsOf(v)
                    .map(c => bestEvaluation(c, field, sign))
                    .filter(Boolean),
            }))
            .filter(s => s.points.length > 1);
        const figure = byId("validation-chart").cloneNode(false);
        byId("validation-chart").replaceWith(figure);
        figure.append(el("figcaption", {}, title + " against steps"));
        lineChart(figure, series, {
            label: title + " against steps",
            titleX: "steps made",
            domainX: [0, Math.max(...series.flatMap(s => s.points.map(p => p.x)))],
            domainY: visible => {
                const low = Math.min(...visible.flatMap(s => s.points.map(p => p.low))),
                    high = Math.max(...visible.flatMap(s => s.points.map(p => p.high)));
                return [low - 0.04 * (high - low), high + 0.04 * (high - low)];
            },
            x: t => short(t),
            y: (t, digits) => fixed(t, digits),
            value: p => fixed(p.y, 5),
            head: p => "about step " + count(p.x),
        });
        [...byId("validation-mode").children].forEach((button, i) =>
            button.setAttribute("aria-pressed", String(fields[i][0] === field))
        );
    };
    byId("validation-mode").append(
        ...fields.map(([field, title, sign]) =>
            el("button", {type: "button", onclick: () => draw(field, title, sign)}, title)
        )
    );
    draw(...fields[0]);
    byId("validation-table").append(
        el("details", {}, el("summary", {}, "Which evaluation each run ends with"), stopsTable(evaluated))
    );
}

/* Which evaluation each run ends with, and why. */
function stopsTable(evaluated) {
    const rows = evaluated.flatMap(v =>
        (v.runs || []).flatMap((run, i) =>
            run.validation ? [{v, number: i, curve: run.validation, best: bestEvaluation(run.validation, "logloss", 1)}] : []
        )
    );
    return sortableTable(
        [
            {head: "variant", value: r => r.v.index, cell: r => nameOf(r.v)},
            {head: "replica", value: r => r.number, cell: r => "r" + r.number},
            {
                head: "training",
                value: r => r.curve.stopped_at || r.curve.steps,
                cell: r =>
                    r.curve.stopped_at
                        ? "stopped before step " + count(r.curve.stopped_at) + " of " + count(r.curve.steps)
                        : "all " + count(r.curve.steps) + " steps",
            },
            {
                head: "parameters",
                value: r => r.curve.best_step || r.curve.steps,
                cell: r => (r.curve.best_step ? "those before step " + count(r.curve.best_step) : "those of its end"),
            },
            {
                head: "best logloss",
                value: r => (r.best ? r.best.y : null),
                cell: r => (r.best ? fixed(r.best.y, 5) + " before step " + count(r.best.x) : NONE),
            },
        ],
        rows
    );
}

/* ---- windows of time ----------------------------------------------------------------------------------------------------- */

const WINDOWED = [
    ["logloss", "Logloss", 5],
    ["auc", "AUC", 5],
    ["calibration", "Calibration", 4],
    ["base_rate", "Share of positives", 5],
];

/* The start of a window: a day, or a day and a time; what is small does not count from 1970. */
function windowText(start, length) {
    if (!isNumber(start)) return "no time";
    if (start < 1e8) return count(start);
    const text = new Date(1000 * start).toISOString();
    return length % 86400 === 0 ? text.slice(0, 10) : text.slice(0, length % 60 === 0 ? 16 : 19).replace("T", " ");
}

function windowPoints(v, field) {
    const of = (list, later) =>
        list
            .filter(w => isNumber(w.start) && isNumber(w[field]))
            .map(w => {
                const error = w[field + "_se"];
                return {
                    x: w.start,
                    y: w[field],
                    low: w[field] - (error || 0),
                    high: w[field] + (error || 0),
                    error,
                    examples: w.examples,
                    later,
                };
            });
    return [...of(v.windows.first_visits, false), ...of(v.windows.scored, true)];
}

/* A line of one point is none. */
const lonely = points => [false, true].map(later => points.filter(p => p.later === later)).filter(list => list.length === 1).flat();

function windowsSection() {
    const timed = variants.filter(v => v.windows && windowPoints(v, "logloss").length > 1);
    if (!timed.length) return drop("windows");
    const length = timed[0].windows.seconds;
    const draw = (field, title, digits) => {
        const series = timed
            .map(v => ({index: v.index, name: v.name, points: windowPoints(v, field)}))
            .filter(s => s.points.length)
            .map(s => ({...s, marks: lonely(s.points)}));
        const figure = byId("windows-chart").cloneNode(false);
        byId("windows-chart").replaceWith(figure);
        figure.append(el("figcaption", {}, title + " by window"));
        const xs = series.flatMap(s => s.points.map(p => p.x)),
            first = Math.min(...xs),
            last = Math.max(...xs);
        lineChart(figure, series, {
            label: title + " by window",
            titleX: "start of the window (UTC)",
            domainX: [first - 0.05 * (last - first), last + 0.05 * (last - first)],
            domainY: visible => {
                const low = Math.min(...visible.flatMap(s => s.points.map(p => p.low))),
                    high = Math.max(...visible.flatMap(s => s.points.map(p => p.high)));
                return [low - 0.04 * (high - low), high + 0.04 * (high - low) + (high > low ? 0 : 1e-6)];
            },
            x: t => windowText(t, length).slice(length % 60 ? 11 : length % 86400 ? 5 : 0),
            y: (t, d) => fixed(t, d),
            value: p =>
                fixed(p.y, digits) +
                (isNumber(p.error) ? " \u00b1 " + fixed(p.error, digits) : "") +
                (p.later ? " where scored" : "") +
                ", " +
                plural(p.examples, "example"),
            head: p => windowText(Math.round(p.x), length),
        });
        [...byId("windows-mode").children].forEach((button, i) =>
            button.setAttribute("aria-pressed", String(WINDOWED[i][0] === field))
        );
        byId("windows-table").replaceChildren(windowsTable(timed, field, title, digits, length));
    };
    byId("windows-mode").append(
        ...WINDOWED.map(([field, title, digits]) =>
            el("button", {type: "button", onclick: () => draw(field, title, digits)}, title)
        )
    );
    draw(...WINDOWED[0]);
}

/* One number of all variants, window by window. */
function windowsTable(timed, field, title, digits, length) {
    const keys = [];
    for (const part of ["first_visits", "scored"])
        for (const v of timed)
            for (const w of v.windows[part])
                if (!keys.some(k => k.part === part && k.start === w.start))
                    keys.push({part, start: w.start, examples: w.examples});
    const of = (row, v) => v.windows[row.part].find(w => w.start === row.start);
    const value = (row, v) => {
        const found = of(row, v);
        return found && isNumber(found[field]) ? found[field] : null;
    };
    return sortableTable(
        [
            {head: "window", value: r => (isNumber(r.start) ? r.start : null), cell: r => windowText(r.start, length)},
            {
                head: "examples of",
                value: r => r.part,
                cell: r => (r.part === "scored" ? "the split that is scored" : "training, at first"),
            },
            {head: "examples", value: r => r.examples, cell: r => count(r.examples)},
            ...timed.map(v => ({
                head: v.name,
                group: title,
                value: r => value(r, v),
                cell: r => {
                    const found = of(r, v);
                    const error = found ? found[field + "_se"] : null;
                    return fixed(value(r, v), digits) + (isNumber(error) ? " \u00b1 " + fixed(error, digits) : "");
                },
            })),
        ],
        keys
    );
}

/* ---- probes -------------------------------------------------------------------------------------------------------------- */

const PROBED = [
    ["pd_relative", "Relative PD"],
    ["pd_levelled", "Levelled PD"],
    ["swap_top1", "Swaps at top 1"],
];

function probesSection() {
    const probed = variants.filter(v => v.probes && v.probes.step.length > 1);
    const points = (v, field) =>
        v.probes.step
            .map((x, i) => ({x, y: v.probes[field][i], error: v.probes[field + "_se"][i]}))
            .filter(p => isNumber(p.y))
            .map(p => ({...p, low: Math.max(0, p.y - (p.error || 0)), high: p.y + (p.error || 0)}));
    const fields = PROBED.filter(([field]) => probed.some(v => points(v, field).length > 1));
    if (!fields.length) return drop("probes");
    const sizes = [...new Set(probed.map(v => count(v.probes.examples)))];
    byId("probes-lead").append(
        `the first ${sizes.join(" or ")} examples of the evaluation split, step by step, and at the end. Bands are one standard ` +
            "error over replicas, which needs three of them. A curve that is flat at its end has settled; where two variants " +
            "part early, their difference does not come from the end of training."
    );
    const draw = (field, title) => {
        const series = probed
            .map(v => ({index: v.index, name: v.name, points: points(v, field)}))
            .filter(s => s.points.length > 1);
        const figure = byId("probes-chart").cloneNode(false);
        byId("probes-chart").replaceWith(figure);
        figure.append(el("figcaption", {}, title + " against steps"));
        lineChart(figure, series, {
            label: title + " against steps",
            titleX: "steps made",
            domainX: [0, Math.max(...series.flatMap(s => s.points.map(p => p.x)))],
            domainY: visible => [0, 1.05 * Math.max(1e-6, ...visible.flatMap(s => s.points.map(p => p.high)))],
            x: t => short(t),
            y: (t, digits) => percent(t, Math.max(0, digits - 2)),
            value: p => percent(p.y) + (isNumber(p.error) ? " \u00b1 " + fixed(100 * p.error, 2) : ""),
            head: p => "about step " + count(p.x),
        });
        [...byId("probes-mode").children].forEach((button, i) =>
            button.setAttribute("aria-pressed", String(fields[i][0] === field))
        );
    };
    byId("probes-mode").append(
        ...fields.map(([field, title]) => el("button", {type: "button", onclick: () => draw(field, title)}, title))
    );
    draw(...fields[0]);
}

/* ---- activations --------------------------------------------------------------------------------------------------------- */

/* One row per variant and layer; older runs have no record of them. */
function activationsSection() {
    const seen = v => v.replicas.flatMap(r => r.activated_layers || []);
    const rows = variants.flatMap(v =>
        [...new Set(seen(v).map(l => l.layer))].map(layer => {
            const of = name =>
                seen(v)
                    .filter(l => l.layer === layer)
                    .map(l => l[name])
                    .filter(isNumber);
            const average = name => (of(name).length ? mean(of(name)) : null);
            return {
                v,
                layer,
                beta: average("beta"),
                spread: average("spread"),
                inside: average("inside_share"),
                clipped: average("clipped_share"),
            };
        })
    );
    if (!rows.length) return drop("activations");
    byId("activations-table").append(
        sortableTable(
            [
                {head: "variant", value: r => r.v.index, cell: r => nameOf(r.v)},
                {head: "layer", value: r => r.layer, cell: r => (r.layer ? "hidden " + r.layer : "inputs")},
                {head: "beta", value: r => r.beta, cell: r => (isNumber(r.beta) ? minus(r.beta.toPrecision(3)) : NONE)},
                {head: "spread", value: r => r.spread, cell: r => (isNumber(r.spread) ? minus(r.spread.toPrecision(3)) : NONE)},
                {head: "inside", value: r => r.inside, cell: r => percent(r.inside, 1)},
                {head: "clipped", value: r => r.clipped, cell: r => percent(r.clipped, 2)},
            ],
            rows
        )
    );
}

/* ---- slices -------------------------------------------------------------------------------------------------------------- */

function slicesSection() {
    const shown = variants.filter(v => v.slices && v.slices.length);
    if (!shown.length) return drop("slices");
    const isMany = s => s.examples >= 30 && isNumber(s.pd_relative);
    const most = Math.max(...shown.flatMap(v => v.slices.filter(isMany).map(s => s.pd_relative)));
    const cell = s =>
        !s
            ? el("td", {}, NONE)
            : el(
                  "td",
                  {
                      class: isMany(s) ? null : "few",
                      style: {background: isMany(s) ? `rgba(var(--tint), ${((0.36 * s.pd_relative) / most).toFixed(3)})` : ""},
                  },
                  percent(s.pd_relative, 1)
              );
    const find = (v, s) => v.slices.find(x => x.column === s.column && x.value === s.value);
    let column = "";
    const rows = shown[0].slices.flatMap(s => {
        const head =
            s.column === column
                ? []
                : [el("tr", {class: "part"}, el("th", {scope: "rowgroup"}, s.column), el("td", {colspan: shown.length + 1}))];
        column = s.column;
        return [
            ...head,
            el(
                "tr",
                {},
                el("th", {scope: "row"}, s.value),
                el("td", {class: "soft"}, count(s.examples)),
                shown.map(v => cell(find(v, s)))
            ),
        ];
    });
    byId("slices-table").append(
        el(
            "div",
            {class: "scroll", tabindex: "0", role: "region", "aria-label": "Relative PD by slice"},
            el(
                "table",
                {},
                el(
                    "thead",
                    {},
                    el(
                        "tr",
                        {},
                        el("th", {scope: "col"}, "slice"),
                        el("th", {scope: "col"}, "examples"),
                        shown.map(v => el("th", {scope: "col"}, key(v.index), v.name))
                    )
                ),
                el("tbody", {}, rows)
            )
        )
    );

    const worst = best.worst_slices || [];
    if (!worst.length) return;
    const top = Math.max(...worst.map(s => s.pd_relative));
    byId("slices-worst").append(
        el("h3", {}, "Worst slices of " + best.name),
        el(
            "p",
            {class: "note"},
            "Of all values of all columns, those of the highest PD; ",
            "over the whole split it is " + percent(metric(best, "pd_relative"), 1) + "."
        ),
        el(
            "div",
            {class: "bars tight", style: {marginTop: "12px"}},
            worst.map(s =>
                el(
                    "div",
                    {class: "bar"},
                    el("span", {class: "name"}, s.column + " = " + s.value),
                    el("span", {}, percent(s.pd_relative, 1)),
                    el("span", {class: "ratio"}, short(s.examples)),
                    el("i", {}, el("b", {style: {width: (100 * s.pd_relative) / top + "%", color: colour(best.index)}}))
                )
            )
        )
    );
}

const named = e =>
    [e.row ? "row " + count(e.row) + " of the input" : null, e.group ? "query " + e.group : null, "its values"]
        .filter(Boolean)
        .join(", ");

function examplesSection() {
    const shown = variants.filter(v => v.most_different && v.most_different.length);
    if (!shown.length) return drop("examples");
    const choose = v => {
        byId("examples-list").replaceChildren(
            ...v.most_different.map(e => {
                const facts = e.predictions.map((p, r) => ["replica " + r, fixed(p, 4)]);
                const holds = Object.entries(e.values || {}).map(([name, value]) => name + " = " + value);
                const strip = el(
                    "div",
                    {class: "strip", style: {color: colour(v.index)}},
                    isNumber(e.label) ? el("span", {class: "truth", style: {left: 100 * e.label + "%"}}) : null,
                    e.predictions.map(p => el("i", {style: {left: 100 * p + "%"}}))
                );
                return el(
                    "div",
                    {class: "example"},
                    el(
                        "span",
                        {},
                        "example " + count(e.index),
                        isNumber(e.label) ? el("span", {class: "soft"}, " label " + e.label) : null
                    ),
                    tipOn(strip, "Example " + count(e.index), facts),
                    el("span", {class: "pd"}, "PD " + percent(e.pd_relative, 0)),
                    holds.length ? el("details", {}, el("summary", {}, named(e)), el("p", {}, holds.join(", "))) : null
                );
            }),
            el(
                "p",
                {class: "note", style: {marginTop: "10px"}},
                "From prediction 0 at the left to 1 at the right; the bar marks the label. Examples are numbered in the ",
                "order of the evaluation split."
            )
        );
        [...byId("examples-choice").children].forEach((button, i) =>
            button.setAttribute("aria-pressed", String(shown[i] === v))
        );
    };
    byId("examples-choice").append(...shown.map(v => el("button", {type: "button", onclick: () => choose(v)}, v.name)));
    choose(shown.includes(best) ? best : shown[0]);
}

/* ---- runs ---------------------------------------------------------------------------------------------------------------- */

const TRACED = [
    ["build", "Build"],
    ["kernels", "Matrix kernels"],
    ["dataset_hash", "Dataset"],
    ["workers", "Workers"],
    ["servers", "Servers"],
    ["shards_per_server", "Shards per server"],
    ["steps", "Steps"],
];

function runsSection() {
    const manifests = variants.flatMap(v => (v.runs || []).map(run => run.manifest)).filter(Boolean);
    const total = variants.reduce((n, v) => n + v.replicas.length, 0);
    byId("runs-lead").append(
        plural(total, "run") +
            (manifests.length < total
                ? "; the folders of " +
                  (manifests.length ? count(total - manifests.length) : "all") +
                  " of them were not there when this report was written, so seeds and digests come from results.json."
                : ". What all of them share stands here once, what differs with its run.")
    );
    const distinct = name => [...new Set(manifests.map(m => String(m[name])))];
    const made = name => [...new Set(manifests.map(m => m.provenance && m.provenance[name]).filter(Boolean))].sort();
    const common = TRACED.filter(([name]) => manifests.length && distinct(name).length === 1);
    const apart = TRACED.filter(([name]) => distinct(name).length > 1);
    const entry = (term, text, mono) => [el("dt", {}, term), el("dd", {class: mono ? "mono" : null}, text)];
    byId("runs-common").append(
        ...(made("begun").length
            ? [
                  ...entry("Trained", made("begun")[0] + " to " + made("ended").pop()),
                  ...entry("Hosts", [...made("hosts"), ...made("cpu")].join("; ")),
                  ...entry("Commit", made("commit").join(", "), true),
              ]
            : []),
        ...common.flatMap(([name, term]) => entry(term, distinct(name)[0], /build|hash|kernels/.test(name))),
        ...[...new Set(variants.map(v => v.determinism))].flatMap(word =>
            entry("Determinism", LEVELS[word] ? LEVELS[word][0] + " " + word + ": " + LEVELS[word][1] : word)
        )
    );
    for (const v of variants) {
        const manifestOf = r => ((v.runs || [])[v.replicas.indexOf(r)] || {}).manifest || {};
        const columns = [
            {head: "replica", value: r => r.replica, cell: r => "r" + r.replica},
            {head: "initialisation\nseed", value: r => r.init_seed, cell: r => String(r.init_seed)},
            {head: "order\nseed", value: r => r.order_seed, cell: r => String(r.order_seed)},
            ...apart.map(([name, head]) => ({
                head: head.toLowerCase(),
                value: r => (manifestOf(r)[name] === undefined ? null : manifestOf(r)[name]),
                cell: r => String(manifestOf(r)[name]),
            })),
            {head: "logloss", value: r => r.metrics.logloss, cell: r => fixed(r.metrics.logloss, 5)},
            {head: "calibration", value: r => r.metrics.calibration, cell: r => fixed(r.metrics.calibration, 3)},
            {
                head: "examples\nper second",
                value: r => r.cost.examples_per_second,
                cell: r => short(r.cost.examples_per_second),
            },
            {head: "CPU\ntime", value: r => r.cost.cpu_seconds, cell: r => seconds(r.cost.cpu_seconds)},
            {
                head: "digest of all parameters and optimizer state",
                value: r => r.digest,
                cell: r => el("span", {class: "mono"}, r.digest),
            },
        ];
        const hashes = [...new Set((v.runs || []).map(run => run.manifest && run.manifest.config_hash).filter(Boolean))];
        byId("runs-variants").append(
            el(
                "details",
                {},
                el("summary", {}, ...nameOf(v), el("span", {class: "soft"}, plural(v.replicas.length, "replica"))),
                sortableTable(columns, v.replicas),
                hashes.length
                    ? el("p", {class: "note"}, "Configuration ", el("span", {class: "mono"}, hashes.join(", ")))
                    : null,
                v.config_text
                    ? el(
                          "details",
                          {},
                          el("summary", {class: "soft"}, "Resolved configuration of replica 0"),
                          el("pre", {}, v.config_text)
                      )
                    : null
            )
        );
    }
}

function provenanceLine() {
    const made = results.provenance;
    if (made)
        byId("provenance").append(
            `The results were written ${made.written} on ${made.host} (${made.cpu}; ${made.kernels}) by smelter ${made.version}, `,
            `commit ${made.commit}.`
        );
}

function reproduceSection() {
    const place = byId("reproduce-how");
    if (results.command) {
        const copy = el("button", {type: "button"}, "Copy");
        copy.addEventListener("click", () => {
            const range = document.createRange();
            range.selectNodeContents(copy.previousSibling);
            getSelection().removeAllRanges();
            getSelection().addRange(range);
            copy.textContent = document.execCommand("copy") ? "Copied" : "Selected";
        });
        place.append(
            el(
                "p",
                {class: "lead"},
                "The command that this experiment was started with; in a new --out it trains everything again, in the ",
                "same one it goes on where it stopped."
            ),
            el("div", {class: "command"}, el("pre", {}, results.command), copy)
        );
    }
    const strict = [...new Set(variants.map(v => v.determinism))].every(word => ["sync", "invariant", "portable"].includes(word));
    place.append(
        el(
            "ol",
            {class: "steps"},
            el(
                "li",
                {},
                variants.every(v => v.determinism === "portable")
                    ? "Use the dataset named above, and a build of the same version; "
                    : "Use the build, the kernels and the dataset named above; ",
                el("code", {}, "smelter version"),
                " and ",
                el("code", {}, "smelter inspect"),
                " print yours."
            ),
            el(
                "li",
                {},
                strict
                    ? "The digest of every run must come out equal: " +
                          [...new Set(variants.map(v => LEVELS[v.determinism][0] + ", " + LEVELS[v.determinism][1]))].join(
                              "; "
                          ) +
                          "."
                    : "Digests of runs below L2 differ from one training to the next; from L2 on they must come out equal."
            ),
            el(
                "li",
                {},
                el("code", {}, "smelter digest DIR"),
                " computes the digest of a run again from its files, ",
                el("code", {}, "smelter report DIR"),
                " writes this page again."
            )
        )
    );
}

variantsSection();
differenceSection();
pairsSection();
tradeoffSection();
costSection();
studentsTable();
learningSection();
validationSection();
windowsSection();
probesSection();
activationsSection();
slicesSection();
examplesSection();
runsSection();
provenanceLine();
reproduceSection();
headSection();
