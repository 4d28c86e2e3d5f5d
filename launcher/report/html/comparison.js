/* comparison.js - the data, and the sections that set the variants side by side. A section is taken out where the
 * experiment has nothing for it. */

const data = JSON.parse(byId("data").textContent);
const results = data.results;
const variants = results.variants.map((v, index) => ({...v, index, ...data.variants[index]}));
const base = variants.find(v => v.name === results.baseline) || variants[0];

/* The rows of the metrics (launcher/run/metric.h): heading, title, note, unit, digits, and where the number stands. */
const byPlace = (rows, place) => rows.filter(row => row[place]).sort((a, b) => a[place] - b[place]);
const isKnown = row => variants.some(v => isNumber(metric(v, row.name)));
/* A number as its row says: in a column, whose head holds the unit of what is counted, or alone. */
const written = (row, x, alone) =>
    row.unit === "share"
        ? percent(x, row.digits)
        : row.unit === "seconds"
          ? seconds(x)
          : row.unit === "memory" || (row.unit === "bytes" && alone)
            ? bytes(x)
            : row.unit === "number"
              ? fixed(x, row.digits)
              : short(x);

/* A change from the baseline's value, as a share of it. */
const relative = (value, of) => (isNumber(value) && isNumber(of) && of !== 0 ? (value - of) / of : null);
const metric = (v, name) => v.metrics[name];
const versus = (v, name) => relative(metric(v, name), metric(base, name));
const ratio = (v, name) => (isNumber(v.cost[name]) && base.cost[name] ? v.cost[name] / base.cost[name] : null);
const hasInterval = (v, name) => isNumber(metric(v, name + "_low")) && isNumber(metric(v, name + "_high"));
const interval = (v, name, digits) =>
    hasInterval(v, name)
        ? fixed(100 * metric(v, name + "_low"), digits) + " to " + percent(metric(v, name + "_high"), digits)
        : null;
/* Standard error over replicas, of a share in points; null where it is not known (two replicas). */
const plusMinus = (row, error) =>
    isNumber(error)
        ? "\u00b1 " + fixed(row.unit === "share" ? 100 * error : error, row.unit === "share" ? 2 : row.digits)
        : null;
const overReplicas = (v, name) =>
    plusMinus(
        [...data.rows.reproducibility, ...data.rows.quality].find(row => row.name === name) || {unit: "share"},
        metric(v, name + "_se")
    );
/* The 95 % interval that a chart shows of relative PD: the wider of that over queries and that over replicas. */
const bar = v =>
    isNumber(metric(v, "pd_relative_bar_low"))
        ? {
              low: metric(v, "pd_relative_bar_low"),
              high: metric(v, "pd_relative_bar_high"),
              over: metric(v, "pd_relative_bar_over"),
          }
        : hasInterval(v, "pd_relative")
          ? {
                low: metric(v, "pd_relative_low"),
                high: metric(v, "pd_relative_high"),
                over: results.queries ? "queries" : "examples",
            }
          : null;
const barText = v =>
    bar(v) ? fixed(100 * bar(v).low, 2) + " to " + percent(bar(v).high, 2) + " over " + bar(v).over : NONE;
/* Whose errors the bars are, as a caption says it. */
const barsOver = shown => [...new Set(shown.map(bar).filter(Boolean).map(b => b.over))].join(" or ");
/* What a training costs; a student's with its part of its teacher's, where it is asked for. */
const taughtCost = (v, name) => (v.teaching ? v.teaching[name + "_with_teacher"] : v.cost[name]);
const taughtRatio = (v, name) =>
    isNumber(taughtCost(v, name)) && base.cost[name] ? taughtCost(v, name) / base.cost[name] : null;
const plural = (n, word) => count(n) + " " + (n === 1 ? word : word.replace(/y$/, "ie") + "s");
const drop = id => byId(id).remove();
const LEVELS = {
    async: ["L0", "pushes apply on arrival and pulls never wait: two trainings on the same ranks differ"],
    bounded: [
        "L1",
        "a worker runs at most a stated number of steps ahead: two trainings on the same ranks differ, within bounds",
    ],
    sync: ["L2", "two trainings with the same seeds on the same ranks give the same bits"],
    invariant: ["L3", "two trainings with the same seeds give the same bits on any number of workers and servers"],
    portable: ["L4", "two trainings with the same seeds give the same bits on any processors, and any number of workers and servers"],
};
const level = v => (LEVELS[v.determinism] ? LEVELS[v.determinism][0] + " " + v.determinism : v.determinism);

/* ---- the resolved configuration of a variant, and what sets it apart ---------------------------------------------------- */

/* "section.key" -> text; the launcher writes two levels, one key a line. */
function settingsOf(text) {
    const settings = new Map();
    let section = "";
    for (const line of (text || "").split("\n")) {
        const [, indent, name, value] = line.match(/^( *)([A-Za-z0-9_]+): *(.*)$/) || [];
        if (name && !indent) section = name;
        if (name && value) settings.set(indent ? section + "." + name : name, value.replace(/^"(.*)"$/, "$1"));
    }
    return settings;
}

for (const v of variants) v.settings = settingsOf(v.config_text);

function differences(v) {
    const keys = new Set([...v.settings.keys(), ...base.settings.keys()]);
    return [...keys].filter(k => v.settings.get(k) !== base.settings.get(k)).map(k => [k, v.settings.get(k) || "(default)"]);
}

const nameOf = v => [
    key(v.index),
    el("span", {class: "name"}, v.name),
    v === base && variants.length > 1 ? el("span", {class: "tag"}, "baseline") : null,
];

/* ---- head -------------------------------------------------------------------------------------------------------------- */

/* The variant that the verdict speaks of. */
const best = variants.find(v => v.name === results.verdict_variant) || base;

function headSection() {
    /* The first sentence is the headline. A point inside a number or a name is not followed by a space. */
    const text = byId("verdict").textContent.replace(/ %/g, THIN + "%"),
        end = text.indexOf(". ");
    byId("verdict").textContent = end > 0 ? text.slice(0, end + 1) : text;
    if (end > 0) byId("verdict").after(el("p", {class: "verdict"}, text.slice(end + 2)));
    const figure = (what, value, from, tone) =>
        el(
            "div",
            {},
            el("div", {class: "what"}, what),
            el("div", {class: "value " + (tone || "")}, value),
            el("div", {class: "from"}, from || "\u00a0")
        );
    const lower = x => (!isNumber(x) || Math.abs(x) < 5e-5 ? "" : x < 0 ? "good" : "bad");
    const withTeacher = best.teaching ? " with its teacher" : "";
    const move = (name, text) => text(metric(base, name)) + " \u2192 " + text(metric(best, name));
    const figures =
        best === base
            ? [
                  figure("Relative PD", percent(metric(base, "pd_relative"), 1), interval(base, "pd_relative", 1)),
                  figure("Logloss", fixed(metric(base, "logloss"), 4)),
                  figure("Examples per second", short(base.cost.examples_per_second)),
                  figure("Rows pulled per example", fixed(base.cost.rows_pulled_per_example, 1)),
              ]
            : [
                  figure(
                      "Relative PD",
                      change(versus(best, "pd_relative"), 1),
                      move("pd_relative", x => percent(x, 1)),
                      lower(versus(best, "pd_relative"))
                  ),
                  figure(
                      "Logloss",
                      change(versus(best, "logloss")),
                      move("logloss", x => fixed(x, 4)),
                      lower(versus(best, "logloss"))
                  ),
                  isNumber(metric(best, "pqauc_loss"))
                      ? figure(
                            "PQAUC loss",
                            change(versus(best, "pqauc_loss")),
                            move("pqauc_loss", x => fixed(x, 4)),
                            lower(versus(best, "pqauc_loss"))
                        )
                      : figure(
                            "AUC loss",
                            change(versus(best, "auc_loss")),
                            move("auc_loss", x => fixed(x, 4)),
                            lower(versus(best, "auc_loss"))
                        ),
                  figure(
                      "FLOPs" + withTeacher + ", next to " + base.name,
                      times(taughtRatio(best, "flops_per_example")),
                      short(base.cost.flops_per_example) +
                          " \u2192 " +
                          short(taughtCost(best, "flops_per_example")) +
                          " an example"
                  ),
                  figure(
                      "Rows pulled" + withTeacher + ", next to " + base.name,
                      times(taughtRatio(best, "rows_pulled_per_example")),
                      short(base.cost.rows_pulled_per_example) +
                          " \u2192 " +
                          short(taughtCost(best, "rows_pulled_per_example")) +
                          " an example"
                  ),
              ];
    byId("figures").append(...figures);
    const replicas = [...new Set(variants.map(v => v.replicas.length))],
        levels = [...new Set(variants.map(level))];
    const facts = [
        [count(variants.length), variants.length === 1 ? "variant" : "variants"],
        [replicas.join(", "), (replicas.length === 1 && replicas[0] === 1 ? "replica" : "replicas") + " each"],
        [count(results.eval_examples), "evaluation examples"],
        results.queries ? [count(results.queries), "queries"] : null,
        results.examples_without_query
            ? [count(results.examples_without_query), "of the examples without a query id, left out of PQAUC loss and swap rates"]
            : null,
        ["Determinism", levels.join(", ")],
        base.settings.get("experiment.vary")
            ? ["Varied between replicas:", base.settings.get("experiment.vary").replace(/[[\]]/g, "")]
            : null,
    ];
    byId("facts").append(...facts.filter(Boolean).map(([bold, rest]) => el("li", {}, el("b", {}, bold), " ", rest)));
    const links = [...document.querySelectorAll("main section")].map(section =>
        el("li", {}, el("a", {href: "#" + section.id}, section.dataset.short))
    );
    byId("contents").append(el("ol", {}, links));
}

/* ---- tables -------------------------------------------------------------------------------------------------------------- */

/* columns: {head, group, value(row) -> number or text, cell(row) -> nodes, start}. Heads sort; what is missing comes last. */
function sortableTable(columns, rows, rowClass) {
    const body = el("tbody", {});
    const lines = rows.map(row =>
        el(
            "tr",
            {class: rowClass ? rowClass(row) : null},
            columns.map((c, i) => el(i ? "td" : "th", {class: c.start ? "start" : null, scope: i ? null : "row"}, c.cell(row)))
        )
    );
    const heads = columns.map(c =>
        el("th", {scope: "col", class: c.start ? "start" : null}, el("button", {type: "button"}, c.head))
    );
    heads.forEach((head, i) =>
        head.firstChild.addEventListener("click", () => {
            const order = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending",
                sign = order === "ascending" ? 1 : -1;
            heads.forEach(h => h.removeAttribute("aria-sort"));
            head.setAttribute("aria-sort", order);
            const missing = x => x === null || x === undefined;
            const compare = (a, b) =>
                missing(a) || missing(b)
                    ? missing(a) - missing(b)
                    : sign * (typeof a === "string" ? a.localeCompare(b) : a - b);
            const sorted = rows
                .map((row, at) => ({value: columns[i].value(row), at}))
                .sort((a, b) => compare(a.value, b.value) || a.at - b.at);
            body.replaceChildren(...sorted.map(s => lines[s.at]));
        })
    );
    body.append(...lines);
    const groups = [];
    for (const c of columns)
        if (groups.length && groups[groups.length - 1].name === (c.group || "")) groups[groups.length - 1].span++;
        else groups.push({name: c.group || "", span: 1, start: c.start});
    return el(
        "div",
        {class: "scroll", tabindex: "0", role: "region", "aria-label": "Table"},
        el(
            "table",
            {},
            el(
                "thead",
                {},
                groups.length > 1
                    ? el(
                          "tr",
                          {class: "groups"},
                          groups.map(g => el("th", {colspan: g.span, class: g.start ? "start" : null}, g.name))
                      )
                    : null,
                el("tr", {}, heads)
            ),
            body
        )
    );
}

function variantsSection() {
    const sub = text => (text === null ? null : el("span", {class: "sub"}, text));
    const toned = (v, name) => {
        const x = versus(v, name);
        return v === base
            ? null
            : el("span", {class: "sub" + (!isNumber(x) || Math.abs(x) < 5e-5 ? "" : x < 0 ? " good" : " bad")}, change(x));
    };
    /* A column of a row: its value, and below it the change, the interval and the error that the row asks for. */
    const columnOf = (row, value, start) => ({
        head: row.heading,
        group: row.group,
        start,
        value: v => value(v, row.name),
        cell: v => [
            written(row, value(v, row.name)),
            row.change ? toned(v, row.name) : null,
            row.interval ? sub(interval(v, row.name, row.digits)) : null,
            row.error ? sub(overReplicas(v, row.name)) : null,
        ],
    });
    const columnsOf = (rows, value) =>
        byPlace(rows, "column")
            .filter(row => !row.if_known || isKnown(row))
            .map((row, i) => columnOf(row, value, i === 0));
    const mixed = new Set(variants.map(v => v.determinism)).size > 1;
    const columns = [
        {
            head: "variant",
            value: v => v.name,
            cell: v => [
                ...nameOf(v),
                sub(
                    v === base
                        ? null
                        : differences(v)
                              .map(([k, x]) => k.replace(/^model\./, "") + " " + x)
                              .join(" \u00b7 ") || null
                ),
            ],
        },
        ...columnsOf(data.rows.reproducibility, metric),
        ...columnsOf(data.rows.quality, metric),
        ...columnsOf(data.rows.cost, (v, name) => v.cost[name]),
        ...(mixed ? [{head: "deter-\nminism", group: " ", start: true, value: v => v.determinism, cell: level}] : []),
    ];
    byId("variants-table").append(sortableTable(columns, variants, v => (v === base ? "base" : null)));
}

/* ---- prediction difference ---------------------------------------------------------------------------------------------- */

function pdIntervals() {
    const known = variants.filter(v => isNumber(metric(v, "pd_relative")));
    const most =
        Math.max(
            ...known.map(v => (bar(v) ? bar(v).high : metric(v, "pd_relative"))),
            ...known.map(v => metric(v, "pd_levelled")).filter(isNumber)
        ) * 1.04;
    const {list, digits} = ticks(0, 100 * most, 5),
        at = x => (100 * x) / most + "%";
    const over = barsOver(known);
    const confidence =
        results.confidence && over
            ? percent(results.confidence, 0) + " interval over " + over + (/ or /.test(over) ? ", the wider" : "")
            : "";
    const rings = known.some(v => isNumber(metric(v, "pd_levelled"))) ? "; rings: levelled" : "";
    const rows = known.flatMap(v => {
        const dot = key(v.index, "dot");
        dot.style.left = at(metric(v, "pd_relative"));
        const facts = [
            ["relative PD", percent(metric(v, "pd_relative"))],
            ["bar", barText(v)],
            [
                "interval over " + (results.queries ? "queries" : "examples"),
                interval(v, "pd_relative", 2) || NONE,
            ],
            ["standard error over replicas", overReplicas(v, "pd_relative") || "needs 3 replicas"],
        ];
        if (isNumber(metric(v, "pd_levelled"))) facts.push(["levelled PD", percent(metric(v, "pd_levelled"))]);
        if (v !== base) facts.push(["change from " + base.name, change(versus(v, "pd_relative"), 1)]);
        if (v !== base && hasInterval(v, "pd_difference"))
            facts.push([
                "difference in points",
                fixed(100 * metric(v, "pd_difference_low"), 2) + " to " + fixed(100 * metric(v, "pd_difference_high"), 2),
            ]);
        if (v !== base && overReplicas(v, "pd_difference"))
            facts.push(["its standard error over replicas", overReplicas(v, "pd_difference")]);
        const track = el(
            "div",
            {class: "track"},
            list.map(t => el("span", {class: "rule", style: {left: at(t / 100)}})),
            el("span", {class: "base", style: {left: at(metric(base, "pd_relative"))}}),
            bar(v)
                ? el("span", {
                      class: "whisker",
                      style: {color: colour(v.index), left: at(bar(v).low), width: at(bar(v).high - bar(v).low)},
                  })
                : null,
            isNumber(metric(v, "pd_levelled"))
                ? el("span", {class: "ring", style: {color: colour(v.index), left: at(metric(v, "pd_levelled"))}})
                : null,
            dot
        );
        return [
            el("div", {class: "name"}, key(v.index), v.name),
            el(
                "div",
                {class: "value"},
                percent(metric(v, "pd_relative"), 1),
                el("span", {class: "sub"}, v === base ? "baseline" : change(versus(v, "pd_relative"), 1))
            ),
            tipOn(track, v.name, facts),
        ];
    });
    byId("pd-intervals").append(
        el("figcaption", {}, "Relative PD ", el("span", {}, confidence + rings)),
        el(
            "div",
            {class: "rows"},
            rows,
            el(
                "div",
                {class: "axis"},
                list.map(t => el("span", {style: {left: at(t / 100)}}, fixed(t, digits) + THIN + "%"))
            )
        )
    );
}

function pdHistogram() {
    const shown = variants.filter(v => v.pd_histogram);
    if (!shown.length) return drop("pd-histogram");
    const {edge, bins} = data.histogram;
    const series = shown.map(v => {
        const total = v.pd_histogram.reduce((a, b) => a + b, 0) || 1;
        let above = total;
        return {
            index: v.index,
            name: v.name,
            points: v.pd_histogram.slice(0, bins).map((n, i) => {
                const point = {x: (edge * i) / bins, end: (edge * (i + 1)) / bins, y: n / total, above: (above - n) / total};
                above -= n;
                return point;
            }),
        };
    });
    const beyond = Math.max(...shown.map(v => v.pd_histogram[bins] / v.pd_histogram.reduce((a, b) => a + b, 0)));
    byId("pd-histogram").append(
        el(
            "figcaption",
            {},
            "PD of single examples ",
            el(
                "span",
                {},
                "share of the evaluation split" + (beyond > 0 ? "; up to " + percent(beyond, 1) + " lie beyond the edge" : "")
            )
        )
    );
    lineChart(byId("pd-histogram"), series, {
        label: "Histogram of the prediction difference of single examples, by variant",
        step: true,
        titleX: "relative PD of an example",
        domainX: [0, edge],
        domainY: visible => [0, 1.05 * Math.max(...visible.flatMap(s => s.points.map(p => p.y)))],
        x: (t, digits) => percent(t, Math.max(0, digits - 2)),
        y: (t, digits) => percent(t, Math.max(0, digits - 2)),
        head: p => "PD from " + percent(p.x, 1) + " to " + percent(p.end, 1),
        value: p => percent(p.y, 1) + ", above " + percent(p.above, 1),
    });
}

function pdMeasures() {
    const measures = byPlace(data.rows.reproducibility, "detail").filter(isKnown);
    if (!measures.length) return drop("pd-more");
    const columns = [
        {head: "variant", value: v => v.name, cell: nameOf},
        ...measures.map(row => ({
            head: row.title,
            value: v => metric(v, row.name),
            cell: v => [
                written(row, metric(v, row.name)),
                hasInterval(v, row.name)
                    ? el(
                          "span",
                          {class: "sub"},
                          written(row, metric(v, row.name + "_low")) + " to " + written(row, metric(v, row.name + "_high"))
                      )
                    : null,
            ],
        })),
    ];
    byId("pd-measures").append(
        sortableTable(columns, variants, v => (v === base ? "base" : null)),
        el(
            "p",
            {class: "note", style: {marginTop: "10px"}},
            measures.map(row => row.title + ": " + row.note).join("; ") + "."
        )
    );
}

function differenceSection() {
    if (!variants.some(v => isNumber(metric(v, "pd_relative")))) {
        byId("difference").replaceChildren(
            el("h2", {}, "Prediction difference"),
            el(
                "p",
                {class: "lead"},
                results.eval_examples === 0
                    ? "Not defined here: the evaluation split is empty."
                    : "Not defined here: it needs at least two replicas of a variant whose predictions are numbers."
            )
        );
        return;
    }
    pdIntervals();
    pdHistogram();
    pdMeasures();
}

/* ---- any two variants --------------------------------------------------------------------------------------------------- */

/* From one variant that is chosen: the ensemble, where there is one, because that is what a single network replaces. */
function pairsSection() {
    const differences = results.differences || [];
    if (!differences.length) return drop("pairs");
    const significance = results.significance;
    const references = variants.filter(v => differences.some(d => d.from === v.name)); /* not all, where they are many */
    const rows = [...byPlace(data.rows.reproducibility, "column"), ...byPlace(data.rows.quality, "column")].filter(
        row => row.error && differences.some(d => d[row.name] && isNumber(d[row.name].difference))
    );
    const isLoss = row => differences.some(d => "change" in (d[row.name] || {}));
    const headline = ["pqauc_loss", "auc_loss"].find(name => rows.some(row => row.name === name));
    const inUnit = (row, x) =>
        !isNumber(x)
            ? NONE
            : (x > 0 ? "+" : "") +
              (isLoss(row)
                  ? percent(x)
                  : row.unit === "share"
                    ? fixed(100 * x, 2)
                    : fixed(x, row.digits));
    const cell = (row, d) => {
        const x = isLoss(row) ? d.change : d.difference,
            error = isLoss(row) ? d.change_se : d.se;
        const sure = isNumber(d.p_holm) && d.p_holm <= significance.level;
        const tone = !sure || row.name === "calibration" ? "" : x < 0 ? "good" : "bad";
        return [
            el("span", {class: tone}, inUnit(row, x), sure ? "*" : ""),
            el("span", {class: "sub"}, plusMinus(isLoss(row) ? {unit: "share"} : row, error) || "\u00b1 " + NONE),
            isNumber(d.p_holm) ? el("span", {class: "sub"}, "p " + (d.p_holm < 0.001 ? "< 0.001" : fixed(d.p_holm, 3))) : null,
        ];
    };
    const choose = from => {
        const shown = variants
            .filter(v => v !== from)
            .map(v => ({v, d: differences.find(d => d.variant === v.name && d.from === from.name)}));
        const columns = [
            {head: "variant", value: s => s.v.name, cell: s => nameOf(s.v)},
            ...rows.map(row => ({
                head: row.heading + (isLoss(row) ? "" : row.unit === "share" ? ",\npoints" : ""),
                value: s => s.d[row.name][isLoss(row) ? "change" : "difference"],
                cell: s => cell(row, s.d[row.name]),
            })),
        ];
        if (headline)
            columns.push({
                head: "replicas for\n" + percent(significance.decide, 1),
                value: s => s.d[headline].replicas_to_decide,
                cell: s => count(s.d[headline].replicas_to_decide),
            });
        byId("pairs-table").replaceChildren(sortableTable(columns, shown, s => (s.v === base ? "base" : null)));
        [...byId("pairs-choice").children].forEach((button, i) =>
            button.setAttribute("aria-pressed", String(references[i] === from))
        );
    };
    byId("pairs-choice").append(
        ...references.map(v => el("button", {type: "button", onclick: () => choose(v)}, "from " + v.name))
    );
    byId("pairs-lead").append(
        "Replica by replica, because replicas of all variants share their seeds: each variant minus the one that is chosen, " +
            "losses in % of its. \u00b1 is the standard error over replicas; p, how likely chance of replicas alone makes " +
            `such a difference, by ${significance.correction}'s correction for all variants in the table; * marks those below ` +
            percent(significance.level, 0) +
            "." +
            (headline
                ? " The last column: of how many replicas a change of " +
                  percent(significance.decide, 1) +
                  " of " +
                  (headline === "pqauc_loss" ? "PQAUC loss" : "AUC loss") +
                  " is found with a power of " +
                  percent(significance.power, 0) +
                  "."
                : "")
    );
    choose(variants.find(v => v.name === results.ensemble) || base);
}

/* ---- accuracy against reproducibility ---------------------------------------------------------------------------------- */

/* Student's t at 97.5 %, by degrees of freedom from 1. */
const T = [
    12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11, 2.101,
    2.093, 2.086,
];

/* 95 % interval of the mean change from the baseline, over replicas paired by number: [] below two pairs. */
function changeInterval(v, name) {
    const pairs = v.replicas
        .map((r, i) => base.replicas[i] && relative(r.metrics[name], base.replicas[i].metrics[name]))
        .filter(isNumber);
    if (v === base || pairs.length < 2) return [];
    const m = mean(pairs),
        deviation = Math.sqrt(pairs.reduce((sum, x) => sum + (x - m) ** 2, 0) / (pairs.length - 1) / pairs.length);
    const centre = versus(v, name),
        half = (T[pairs.length - 2] || 1.96) * deviation;
    return [100 * (centre - half), 100 * (centre + half)];
}

/* One per activation over its betas: positions of variants that are the same but for model.beta. */
function linesOf(shown) {
    const groups = new Map();
    shown.forEach((v, i) => {
        const rest = [...v.settings]
            .filter(([k]) => k !== "model.beta" && k !== "name")
            .map(pair => pair.join("="))
            .join("\n");
        const same = v.settings.has("model.beta") ? rest : v.name;
        groups.set(same, [...(groups.get(same) || []), i]);
    });
    return [...groups.values()]
        .filter(members => members.length > 1)
        .map(members => members.sort((a, b) => betaOf(shown[a]) - betaOf(shown[b])));
}

const betaOf = v => parseFloat(v.settings.get("model.beta"));

function tradeoffSection() {
    const name = variants.some(v => isNumber(metric(v, "pqauc_loss"))) ? "pqauc_loss" : "auc_loss";
    const word = name === "pqauc_loss" ? "PQAUC loss" : "AUC loss";
    const shown = variants.filter(v => isNumber(metric(v, "pd_relative")) && isNumber(versus(v, name)));
    if (shown.length < 2) return drop("tradeoff");
    const points = shown.map(v => ({
        index: v.index,
        name: v.name,
        label: v.name,
        x: 100 * versus(v, name),
        y: 100 * metric(v, "pd_relative"),
        xs: changeInterval(v, name),
        ys: bar(v) ? [100 * bar(v).low, 100 * bar(v).high] : [],
        head: v.name,
        rows: [
            ["relative PD", percent(metric(v, "pd_relative"))],
            ["interval", barText(v)],
            [word + ", change", change(versus(v, name))],
            [
                "interval",
                changeInterval(v, name).length
                    ? changeInterval(v, name)
                          .map(x => fixed(x, 2))
                          .join(" to ") +
                      THIN +
                      "%"
                    : NONE,
            ],
        ],
    }));
    const lines = linesOf(shown);
    for (const line of lines) for (const i of line) points[i].label = String(betaOf(shown[i]));
    byId("tradeoff-lead").append(
        "Each point is a variant: change of " +
            word +
            " from " +
            base.name +
            " to the right, PD upwards, so the lower left is better. " +
            "Bars are 95" +
            THIN +
            "% intervals: of PD over " +
            (barsOver(shown) || "queries") +
            (/ or /.test(barsOver(shown)) ? ", whichever is wider" : "") +
            ", of the loss over replicas." +
            (lines.length ? " Lines join one activation over its betas, which are the numbers." : "")
    );
    scatterChart(byId("tradeoff-chart"), points, lines, {
        label: "Prediction difference against change of " + word + ", by variant",
        titleX: word + ", change from " + base.name,
        titleY: "relative PD",
        x: (t, digits) => (t > 0 ? "+" : "") + fixed(t, digits) + THIN + "%",
        y: (t, digits) => fixed(t, digits) + THIN + "%",
    });
}

/* ---- cost ---------------------------------------------------------------------------------------------------------------- */

function costSection() {
    for (const row of byPlace(data.rows.cost, "detail")) {
        const name = row.name;
        const most = Math.max(...variants.map(v => v.cost[name]).filter(isNumber));
        if (!(most > 0)) continue;
        byId("cost-bars").append(
            el(
                "div",
                {},
                el("h3", {}, row.title, " ", el("span", {}, row.note)),
                variants.map(v =>
                    el(
                        "div",
                        {class: "bar"},
                        el("span", {class: "name"}, v.name),
                        el("span", {}, written(row, v.cost[name], true)),
                        el("span", {class: "ratio"}, v === base ? "" : times(ratio(v, name))),
                        el("i", {}, el("b", {style: {width: (100 * (v.cost[name] || 0)) / most + "%", color: colour(v.index)}}))
                    )
                )
            )
        );
    }
}

/* Students are not free of their teachers: what these cost, and what they save. */
function studentsTable() {
    const students = variants.filter(v => v.teaching);
    if (!students.length) return drop("cost-students");
    const share = name => v => v.teaching[name];
    const reached = name => v =>
        v.teaching.held_out_saving === "reached" || v.teaching.held_out_saving === "at_most"
            ? (v.teaching.held_out_saving === "reached" ? "" : "\u2264 ") + percent(v.teaching[name], 1)
            : v.teaching.held_out_saving === "never"
            ? "not reached"
            : NONE;
    const withTeacher = (name, head, text) => ({
        head: head,
        group: "With its part of the teacher's runs",
        start: name === "cpu_seconds",
        value: v => taughtCost(v, name),
        cell: v => [text(taughtCost(v, name)), el("span", {class: "sub"}, "alone " + text(v.cost[name]))],
    });
    const columns = [
        {head: "student", value: v => v.name, cell: nameOf},
        {head: "taught by", group: "Teacher", start: true, value: v => v.teaching.teacher, cell: v => v.teaching.teacher},
        {head: "runs", group: "Teacher", value: v => v.teaching.runs, cell: v => count(v.teaching.runs)},
        {
            head: "their\nCPU time",
            group: "Teacher",
            value: share("teachers_cpu_seconds"),
            cell: v => seconds(v.teaching.teachers_cpu_seconds),
        },
        withTeacher("cpu_seconds", "CPU\ntime", seconds),
        withTeacher("wall_seconds", "wall\ntime", seconds),
        withTeacher("rows_pulled_per_example", "rows\n/ example", x => fixed(x, 1)),
        {
            head: "next to",
            group: "Held-out logloss",
            start: true,
            value: v => v.teaching.without || null,
            cell: v => v.teaching.without || NONE,
        },
        {
            head: "at the\nend",
            group: "Held-out logloss",
            value: share("held_out_logloss_change"),
            cell: v => change(v.teaching.held_out_logloss_change),
        },
        ...[
            ["held_out_share_of_examples", "reached after\nexamples"],
            ["held_out_share_of_wall_seconds", "and\nwall time"],
        ].map(([name, head]) => ({head, group: "Held-out logloss", value: share(name), cell: reached(name)})),
    ];
    byId("cost-students").append(
        el("h3", {}, "Students and their teachers"),
        el(
            "p",
            {class: "note"},
            "A teacher is trained, and scores the training data, once for all replicas that it teaches; they bear equal parts. " +
                "The right columns are about the evaluation split: how the student ends next to the same network without a teacher " +
                "(the baseline where there is no such variant), and after which share of that one's training a student's is as " +
                "good, read from variants that differ from it in train.max_steps alone (with \u2264, the shortest of them is). Losses of training examples are not compared: a teacher has seen the later labels."
        ),
        el("div", {style: {marginTop: "12px"}}, sortableTable(columns, students))
    );
}
