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
    const strict = [...new Set(variants.map(v => v.determinism))].every(word => word === "sync" || word === "invariant");
    place.append(
        el(
            "ol",
            {class: "steps"},
            el(
                "li",
                {},
                "Use the build, the kernels and the dataset named above; ",
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
                    : "Digests of runs below L2 differ from one training to the next; at L2 and L3 they must come out equal."
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
probesSection();
activationsSection();
slicesSection();
examplesSection();
runsSection();
provenanceLine();
reproduceSection();
headSection();
