#!/usr/bin/env bash
# test_report_html.sh BUILD - report.html of a real experiment in a real browser (headless Chromium), at the width of a phone and of
# a desktop, light and dark: every section is drawn, the table sorts, nothing is wider than the page, nothing is written to the
# console, nothing is asked of a network. Skipped with the reason where there is no chromium; it is no part of the set-up.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
smelter=$(realpath "${1:?usage: test_report_html.sh BUILD}/smelter")
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
if [ -z "$browser" ]; then
    echo "skip - report.html in a browser: chromium is not installed (apt-get install chromium)"
    exit 0
fi
dir=$(mktemp -d "${TMPDIR:-/tmp}/smelter-report.XXXXXX")
trap 'rm -rf "$dir"' EXIT
export SMELTER_PROGRESS=off OMP_NUM_THREADS=1
failed=0

# verdict NAME REASON: one line of the test's output; REASON is empty where all is well.
verdict() {
    if [ -z "$2" ]; then
        echo "ok - $1"
    else
        echo "not ok - $1"
        echo "$2" | sed 's/^/    /'
        failed=1
    fi
}

cat >"$dir/small.yaml" <<END
name: small <b>&amp; "quoted"
defaults: 1
determinism: sync
cluster: {workers: 1, servers: 1}
data: {path: $dir/data}
synth: {rows: 8000, fields: 3, values: 200, numeric: 1, multi: 0, train_fraction: 0.8}
train: {batch: 64, lanes: 1, report_steps: 10}
model: {hidden: [8]}
embedding: {dim: 2}
evaluate: {probe_every: 20, every: 20, window: 100}
experiment: {replicas: 2, vary: [order], baseline: relu}
variants:
  - {name: relu}
  - {name: smelu1, model: {activation: smelu, beta: 1}}
  - {name: smelu3, model: {activation: smelu, beta: 3}, teacher: {variant: relu, replica: first}}
  - {name: ensemble-of-two-components, model: {components: 2}}
  - {name: swish, model: {activation: swish}, sweep: {model.beta: [1, 10]}}
END
if ! timeout 120 "$smelter" compare "$dir/small.yaml" --out "$dir/out" >"$dir/log" 2>&1; then
    verdict "compare writes report.html" "$(tail -5 "$dir/log")"
    exit 1
fi
page=$dir/out/report.html
[ -s "$page" ] && grep -q "$page" "$dir/log"
verdict "compare writes report.html and says where" "$([ $? = 0 ] || cat "$dir/log")"

cp "$page" "$dir/first.html"
timeout 60 "$smelter" report "$dir/out" >"$dir/log" 2>&1 && cmp -s "$page" "$dir/first.html"
verdict "smelter report writes the same page again" "$([ $? = 0 ] || cat "$dir/log")"
verdict "the page names nothing outside of itself" "$(grep -noE '.{0,20}(https?:|//[a-z]|@import| src=).{0,40}' "$page")"

# The page in a frame of the width asked for (a window is not made smaller than 500 pixels), and what a script finds in it.
cat >"$dir/probe.html" <<'END'
<!doctype html><meta charset="utf-8"><body style="margin:0"><pre id="found"></pre><script>
const [page, width] = location.hash.slice(1).split(",");
const frame = document.createElement("iframe");
frame.style = `border:0;height:2000px;width:${width}px`;
frame.src = page;
frame.onload = () => setTimeout(() => {
    const d = frame.contentDocument, say = (name, value) => { found.textContent += name + "=" + value + "\n"; };
    say("title", d.title);
    say("scroll", d.documentElement.scrollWidth);
    say("sections", [...d.querySelectorAll("main section")].map(s => s.id).join(","));
    say("empty", [...d.querySelectorAll("main figure, main div[id]")].filter(n => !n.textContent.trim()).map(n => n.id).join(","));
    say("charts", [...d.querySelectorAll("svg.chart")].filter(n => n.childElementCount > 5).length);
    say("bad", (d.body.innerText.match(/NaN|undefined|Infinity|null/g) || []).join(","));
    const names = () => [...d.querySelectorAll("#variants tbody tr")].map(r => r.querySelector(".name").textContent).join(",");
    const head = [...d.querySelectorAll("#variants thead button")].find(b => b.textContent.startsWith("variant"));
    say("unsorted", names());
    head.click();
    say("ascending", names());
    head.click();
    say("descending", names());
    const drawing = node => node.querySelector("path").getAttribute("d") + node.querySelector("path").style.fill;
    const inTable = [...d.querySelectorAll("#pd-intervals .rows .name svg")].map(drawing).join();
    const inChart = [...d.querySelectorAll("#tradeoff-chart .legend svg")].map(drawing).join();
    say("keys", inTable === inChart ? "same" : inTable + " " + inChart);
    say("lines", [...d.querySelectorAll("#tradeoff-chart .legend span")].map(n => n.textContent).join(","));
    const number = [...d.querySelectorAll("#variants thead button")].find(b => b.textContent.startsWith("relative"));
    number.click();
    const values = [...d.querySelectorAll("#variants tbody tr")].map(r => parseFloat(r.children[1].textContent));
    say("by_pd", values.every((x, i) => i === 0 || values[i - 1] <= x) && values.every(isFinite));
    const choices = [...d.querySelectorAll("#pairs-choice button")];
    say("from", choices.filter(b => b.getAttribute("aria-pressed") === "true").map(b => b.textContent).join(","));
    choices[0].click();
    say("pairs", [...d.querySelectorAll("#pairs-table tbody .name")].map(n => n.textContent).join(","));
    say("students", [...d.querySelectorAll("#cost-students tbody .name")].map(n => n.textContent).join(","));
    say("marked", number.parentNode.getAttribute("aria-sort") + "," + d.querySelectorAll("[aria-sort]").length);
    d.querySelectorAll("details").forEach(e => { e.open = true; });
    say("opened", d.documentElement.scrollWidth);
    say("paper", frame.contentWindow.getComputedStyle(d.body).backgroundColor);
    say("done", "yes");
}, 300);
document.body.append(frame);
</script>
END

# probe WIDTH SCHEME: what the script found is in $dir/found, the console in $dir/console.
probe() {
    timeout 60 "$browser" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
        --disable-component-update --disable-sync --disable-dev-shm-usage --hide-scrollbars --allow-file-access-from-files --enable-logging=stderr \
        --host-resolver-rules="MAP * ~NOTFOUND" --blink-settings=preferredColorScheme="$2" --user-data-dir="$dir/profile" \
        --window-size=1400,2000 --virtual-time-budget=5000 --dump-dom "file://$dir/probe.html#file://$page,$1" >"$dir/dom" 2>"$dir/stderr"
    grep 'CONSOLE' "$dir/stderr" >"$dir/console"
    sed -n '/id="found">/,/<\/pre>/p' "$dir/dom" | sed 's/.*id="found">//; s/<\/pre>.*//' >"$dir/found"
}

# expect NAME VALUE: a line of what was found.
expect() {
    grep -qxF "$1=$2" "$dir/found" || echo "$1 is \"$(sed -n "s/^$1=//p" "$dir/found")\", expected \"$2\""
}

check_page() {
    expect done yes
    cat "$dir/console"
    expect title 'small &lt;b&gt;&amp;amp; "quoted" - Smelter report'
    expect scroll "$1"
    expect opened "$1"
    expect sections variants,difference,pairs,tradeoff,cost,learning,validation,windows,probes,activations,slices,examples,runs,reproduce,glossary
    expect empty ""
    expect charts 7
    expect bad ""
    expect unsorted relu,smelu1,smelu3,ensemble-of-two-components,swish-beta1,swish-beta10
    expect ascending ensemble-of-two-components,relu,smelu1,smelu3,swish-beta1,swish-beta10
    expect descending swish-beta10,swish-beta1,smelu3,smelu1,relu,ensemble-of-two-components
    expect lines relu,smelu1,smelu3,ensemble-of-two-components,swish-beta1,swish-beta10
    expect keys same
    expect by_pd true
    expect marked ascending,1
    expect students smelu3
    expect from "from ensemble-of-two-components"
    expect pairs smelu1,smelu3,ensemble-of-two-components,swish-beta1,swish-beta10
    expect paper "$2"
}

for width in 390 1280; do
    probe $width 1
    verdict "complete, sortable and not too wide at $width pixels, light" "$(check_page $width 'rgb(251, 250, 247)')"
    probe $width 0
    verdict "complete, sortable and not too wide at $width pixels, dark" "$(check_page $width 'rgb(20, 23, 26)')"
done

# What is left of an experiment whose run folders were removed.
rm -r "$dir"/out/{relu,smelu1,smelu3,ensemble-of-two-components,swish-beta1,swish-beta10}
timeout 60 "$smelter" report "$dir/out" >"$dir/log" 2>&1 || cat "$dir/log"
probe 390 1
check_remains() {
    expect done yes
    cat "$dir/console"
    expect sections variants,difference,pairs,tradeoff,cost,windows,probes,activations,slices,examples,runs,reproduce,glossary
    expect charts 3
    expect scroll 390
    expect bad ""
}
verdict "without run folders the page shows what results.json holds" "$(check_remains)"
exit $failed
