//! The command as a process: what it prints, what it writes, and what it exits with.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

pub(crate) const RING: &str = r#"
question = "Does a body get around?"
nodes = 6
topology.kind = "ring"
network.latency = "10ms"
workload = { publishers = 1, size = "1KiB" }
run.horizon = "10s"
"#;

/// An empty directory for one test.
fn directory(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("command")
        .join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("a directory can be made");
    path
}

/// The file of a scenario in a directory of its own.
pub(crate) fn scenario(name: &str, text: &str) -> PathBuf {
    let path = directory(name).join("ring.toml");
    fs::write(&path, text).expect("a scenario can be written");
    path
}

pub(crate) fn hxsim() -> Command {
    Command::new(env!("CARGO_BIN_EXE_hxsim"))
}

pub(crate) fn run(path: &Path, arguments: &[&str]) -> Output {
    let mut command = hxsim();
    command.arg("run").arg(path).args(arguments);
    command.output().expect("the command runs")
}

fn report(sims: &Path, arguments: &[&str]) -> Output {
    let mut command = hxsim();
    command.arg("report").arg("--sims").arg(sims);
    command
        .arg("--out")
        .arg(sims.join("results"))
        .args(arguments);
    command.output().expect("the command runs")
}

pub(crate) fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("standard output is one JSON document")
}

#[test]
fn a_run_that_converges_says_so_and_nothing_else_goes_to_stderr() {
    let output = run(&scenario("converges", RING), &[]);
    assert_eq!(code(&output), Some(0));
    assert!(stdout(&output).starts_with("✓ converged at 110 ms  ring · seed 1 · digest "));
    assert_eq!(stderr(&output), "");
}

#[test]
fn what_is_missing_is_named_and_the_code_is_10() {
    let cut_off =
        "run.goal = \"union\"\n[[fault]]\nkind = \"partition\"\nat = \"0s\"\ngroups = [[3]]\n";
    let output = run(&scenario("missing", &format!("{RING}{cut_off}")), &[]);
    assert_eq!(code(&output), Some(10), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.starts_with("✗ not converged at 10 s"), "{text}");
    assert!(text.contains("missing: 1\n    node 3 · "), "{text}");
    assert!(
        text.contains(
            "      never offered: held by nodes 2 and 4, but there was never a connection"
        ),
        "{text}"
    );
}

#[test]
fn bad_scenarios_and_bad_usage_exit_with_2_and_point_at_the_mistake() {
    let bad = scenario("bad", &RING.replace("ring", "rign"));
    let output = run(&bad, &[]);
    assert_eq!((code(&output), &*stdout(&output)), (Some(2), ""));
    let expected = format!("{}:4:17: error: ", bad.display());
    assert!(
        stderr(&output).starts_with(&expected),
        "{}",
        stderr(&output)
    );
    assert!(stderr(&output).contains("`ring`"), "{}", stderr(&output));

    let output = run(&bad.with_file_name("absent.toml"), &[]);
    assert_eq!(code(&output), Some(2));
    assert!(
        stderr(&output).contains("absent.toml"),
        "{}",
        stderr(&output)
    );

    let output = run(&scenario("usage", RING), &["--sed", "7"]);
    assert_eq!(code(&output), Some(2));
    assert!(stderr(&output).contains("--seed"), "{}", stderr(&output));

    let output = run(&scenario("set", RING), &["--set", "network.loss=5"]);
    assert_eq!(code(&output), Some(2));
    assert!(
        stderr(&output).contains("--set 1:1:14: error"),
        "{}",
        stderr(&output)
    );

    let checked = hxsim()
        .arg("check")
        .arg(&bad)
        .output()
        .expect("the command runs");
    assert_eq!(code(&checked), Some(2));
}

#[test]
fn json_is_one_document_and_knows_its_machine() {
    let output = run(&scenario("json", RING), &["--format", "json"]);
    assert_eq!(code(&output), Some(0));
    let report = json(&output);
    assert_eq!(report["outcome"], "converged");
    assert_eq!(report["scenario"], "ring");
    assert!(report["env"]["wall_ns"].is_u64());
    assert!(report["env"]["machine"].is_string());
}

#[test]
fn files_of_a_run_leave_the_machine_out() {
    let path = scenario("out", RING);
    let out = path.with_file_name("nested").join("results");
    let output = run(
        &path,
        &["--format", "json", "--out", &out.to_string_lossy()],
    );
    assert_eq!(code(&output), Some(0));

    let written = fs::read(out.join("ring.json")).expect("the report is there");
    let written: Value = serde_json::from_slice(&written).expect("and is JSON");
    let mut printed = json(&output);
    let env = printed
        .as_object_mut()
        .expect("a report has fields")
        .remove("env");
    assert!(env.is_some());
    assert_eq!(written, printed, "the same but for the machine");
    let picture = fs::read_to_string(out.join("ring.svg")).expect("the picture is there");
    assert!(picture.starts_with("<svg"), "{picture}");
}

#[test]
fn seeds_and_sets_decide_and_are_reported() {
    let path = scenario(
        "seeds",
        &RING.replace("\"10ms\"", "{ floor = \"10ms\", uniform = \"10ms\" }"),
    );
    let report = |arguments: &[&str]| {
        let output = run(&path, &[arguments, &["--format", "json"]].concat());
        assert_eq!(code(&output), Some(0), "{}", stderr(&output));
        json(&output)
    };
    let first = report(&[]);
    assert_eq!(first["digest"], report(&["--seed", "1"])["digest"]);
    let other = report(&["--seed", "7"]);
    assert_eq!(other["seed"], 7);
    assert_ne!(first["digest"], other["digest"]);

    let set = report(&["--set", "nodes=9", "--set", "workload.count=2"]);
    assert_eq!((&set["nodes"], &set["items"]), (&9.into(), &2.into()));
}

#[test]
fn verification_prints_the_digest_that_the_report_has() {
    let output = run(&scenario("verify", RING), &["--format", "json", "--verify"]);
    assert_eq!(code(&output), Some(0));
    let digest = json(&output)["digest"].as_str().map(str::to_owned);
    let digest = digest.expect("a digest is a string");
    assert!(
        stderr(&output).starts_with("verified: "),
        "{}",
        stderr(&output)
    );
    assert!(stderr(&output).contains(&digest), "{}", stderr(&output));
}

#[test]
fn what_has_no_effect_or_nothing_to_do_is_warned_of() {
    let idle = RING.replace("workload =", "#");
    let checked = |name: &str, text: &str| {
        let path = scenario(name, text);
        let output = hxsim().arg("check").arg(path).output();
        let output = output.expect("the command runs");
        assert_eq!(code(&output), Some(0), "{}", stderr(&output));
        stderr(&output)
    };
    let told = checked("idle", &idle);
    assert!(
        told.contains("ring.toml: nothing is published, so that there is nothing to spread"),
        "{told}"
    );
    let full = "[[fault]]\nkind = \"disk_full\"\nat = \"1s\"\nnodes = [1]\n";
    let told = checked("full", &format!("{RING}{full}"));
    assert!(
        told.contains("ring.toml: nodes keep nothing on their disks"),
        "{told}"
    );
    let twice = "[[fault]]\nkind = \"duplicate\"\nat = \"1s\"\nchance = \"10%\"\n";
    let told = checked("twice", &format!("{RING}{twice}"));
    assert!(
        told.contains("ring.toml: nodes send no datagrams"),
        "{told}"
    );
    let role = "[[role]]\nkind = \"mute\"\nnodes = \"0..5\"\n";
    let told = checked("kept", &format!("{RING}{role}"));
    assert!(
        told.contains("ring.toml: some bodies are published by nodes with roles alone"),
        "{told}"
    );
    let told = checked(
        "lost",
        &RING.replace("workload =", "network.loss = \"100%\"\nworkload ="),
    );
    assert!(told.contains("nothing that is sent ever arrives"), "{told}");
    assert_eq!(
        checked("durable", &format!("node.durable = true\n{RING}{full}")),
        ""
    );
}

/// A run ends when all have all: what was to go wrong later is told, as it did not.
#[test]
fn faults_that_a_run_ended_before_are_told() {
    let told = |name: &str, instants: &[&str]| {
        let cut =
            |at: &&str| format!("[[fault]]\nkind = \"cut\"\nat = \"{at}\"\nbetween = [0, 1]\n");
        let faults: String = instants.iter().map(cut).collect();
        let told = stdout(&run(&scenario(name, &format!("{RING}{faults}")), &[]));
        let mut lines = told.lines().map(str::trim);
        let line = lines.find(|line| line.starts_with("not reached"));
        line.map(str::to_owned)
    };
    assert_eq!(told("early", &["10ms"]), None);
    assert_eq!(
        told("late", &["8s"]).as_deref(),
        Some("not reached the cut at 8 s: the run was over")
    );
    assert_eq!(
        told("later", &["8s", "9s"]).as_deref(),
        Some("not reached the cut at 8 s and 1 fault later: the run was over")
    );
}

#[test]
fn a_trace_is_printed_or_written_and_shown() {
    let hello = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sims/hello.toml");
    let printed = stdout(&run(&hello, &["--trace", "15ms..35ms"]));
    let expected = "\
20ms node 0: accepted by node 1
20ms node 0: data from node 1, stream 0, segment 1, 138 bytes
30ms node 1: data from node 0, stream 0, segment 1, 52 bytes
30ms node 1: data from node 0, stream 0, segment 2, 91 bytes
✓ converged at 40 ms  hello";
    assert!(printed.starts_with(expected), "{printed}");

    // A partition belongs to no node: it stands between the events that it has to do with.
    let partition =
        "[[fault]]\nkind = \"partition\"\nat = \"15ms\"\nuntil = \"2s\"\ngroups = [[0]]\n";
    let parted = scenario("parted", &format!("{RING}{partition}"));
    let all = stdout(&run(&parted, &["--trace", "all"]));
    let turns = all.lines().filter(|line| line.contains(" network: "));
    let expected = [
        "15ms network: partition begins",
        "2s network: partition is over",
    ];
    assert!(turns.eq(expected), "{all}");

    let file = directory("trace").join("hello.trace");
    let file = file.display().to_string();
    let arguments = [
        "--trace",
        "last:3",
        "--trace-file",
        &file,
        "--format",
        "json",
    ];
    let output = run(&hello, &arguments);
    assert_eq!(json(&output)["outcome"], "converged");
    let shown = |arguments: &[&str]| {
        let output = hxsim().arg("trace").args(arguments).output();
        output.expect("the command runs")
    };
    let of_node = stdout(&shown(&[&file, "--node", "1"]));
    assert_eq!(of_node.lines().count(), 2, "{of_node}");
    assert!(printed.contains(&of_node), "{of_node}");

    // Where nothing is to be shown, that is said.
    let nothing = shown(&[&file, "--node", "99"]);
    assert_eq!((code(&nothing), stdout(&nothing)), (Some(0), String::new()));
    let said = "hello.trace: there is nothing of node 99 among its 3 events\n";
    assert!(stderr(&nothing).ends_with(said), "{}", stderr(&nothing));
    let nothing = stderr(&run(&hello, &["--trace", "1s..2s"]));
    let said = "note: nothing happened then that a trace shows; the run ended at 50ms\n";
    assert_eq!(nothing, said);
    // A file that is asked for without saying for what holds all.
    run(&hello, &["--trace-file", &file]);
    let all = stdout(&run(&hello, &["--trace", "all"]));
    assert!(all.starts_with(&stdout(&shown(&[&file]))), "{all}");

    let output = shown(&[&hello.display().to_string()]);
    assert_eq!(code(&output), Some(2));
    assert!(
        stderr(&output).ends_with("hello.toml: it is no trace: it does not begin with `hxtrace`\n")
    );
    for wrong in ["some", "last:few", "2s..1s", "1..2"] {
        let output = run(&hello, &["--trace", wrong]);
        assert_eq!(code(&output), Some(2), "{wrong}");
        assert!(
            stderr(&output).contains("write `all`, `last:` and a number"),
            "{}",
            stderr(&output)
        );
    }
    let output = run(&hello, &["--trace", "all", "--format", "json"]);
    assert_eq!(code(&output), Some(2));
    assert!(stderr(&output).contains("--trace-file"));
}

#[test]
fn results_are_written_checked_and_missed() {
    let sims = directory("results");
    let output = report(&sims, &[]);
    assert_eq!(code(&output), Some(4), "no scenario is there");
    assert_eq!(
        code(&report(&sims.join("absent"), &[])),
        Some(1),
        "no directory is there"
    );

    fs::write(sims.join("a.toml"), RING).expect("a scenario can be written");
    fs::write(sims.join("b.toml"), RING).expect("a scenario can be written");
    let output = report(&sims, &["--check"]);
    assert_eq!(code(&output), Some(13), "no result is there");
    let absent = "a.json: is not there; `hxsim report` writes it anew\n";
    assert!(stderr(&output).contains(absent), "{}", stderr(&output));
    assert!(!sims.join("results").exists(), "a check writes nothing");

    let output = report(&sims, &[]);
    assert_eq!(code(&output), Some(0), "{}", stderr(&output));
    let verdicts: Vec<_> = stdout(&output).lines().map(str::to_owned).collect();
    assert!(
        verdicts[0].contains("  a · ") && verdicts[1].contains("  b · "),
        "{verdicts:?}"
    );
    assert_eq!(code(&report(&sims, &["--check"])), Some(0));
    let table = fs::read_to_string(sims.join("results/README.md")).expect("the table is there");
    let rows: Vec<_> = table.lines().rev().take(2).collect();
    assert!(rows[0].starts_with("| [b](b.json) | ") && rows[1].starts_with("| [a](a.json) | "));
    assert!(rows[0].contains("█`](b.svg) | "), "{}", rows[0]);

    let result = sims.join("results/b.json");
    let text = fs::read_to_string(&result).expect("the result is there");
    assert!(!text.contains("\"env\""));
    fs::write(&result, text.replacen("\"seed\": 1", "\"seed\": 2", 1)).expect("it can be forged");
    let output = report(&sims, &["--check"]);
    assert_eq!(code(&output), Some(13));
    let complaint = format!("error: {}: differs", result.display());
    assert!(
        stderr(&output).starts_with(&complaint),
        "{}",
        stderr(&output)
    );

    fs::write(sims.join("c.toml"), RING.replace("10s", "50ms")).expect("a scenario can be written");
    assert_eq!(
        code(&report(&sims, &[])),
        Some(10),
        "one of them does not converge"
    );
    let missed = format!("{RING}[expect]\nt99 = \"< 1ms\"\n");
    fs::write(sims.join("d.toml"), missed).expect("a scenario can be written");
    assert_eq!(
        code(&report(&sims, &[])),
        Some(10),
        "the worst decides, not the last"
    );
}

#[test]
fn a_report_has_a_row_for_what_a_scenario_is_compared_with_and_tells_of_all_bad_ones() {
    let sims = directory("report-compared");
    let compared = RING.replacen("nodes", "compare = \"network.latency=20ms\"\nnodes", 1);
    fs::write(sims.join("a.toml"), compared).expect("a scenario can be written");
    let output = report(&sims, &[]);
    assert_eq!(code(&output), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output).lines().count(), 1, "one verdict");
    let table = fs::read_to_string(sims.join("results/README.md")).expect("the table is there");
    let rows: Vec<_> = table.lines().rev().take(2).collect();
    assert!(rows[1].starts_with("| [a](a.json) | "), "{}", rows[1]);
    let beneath = "|  | … with `network.latency=20ms` | `";
    assert!(rows[0].starts_with(beneath), "{}", rows[0]);

    for name in ["b.toml", "c.toml"] {
        fs::write(sims.join(name), "nodes = 0\n").expect("a scenario can be written");
    }
    let output = report(&sims, &[]);
    assert_eq!(code(&output), Some(2));
    let told = stderr(&output);
    assert!(
        told.contains("b.toml:1:9") && told.contains("c.toml:1:9"),
        "{told}"
    );
}

#[test]
fn a_new_scenario_runs_as_it_is() {
    let directory = directory("new-scenario");
    let new = |name: &str| {
        let mut command = hxsim();
        command.args(["new", "scenario", name]);
        command.arg("--path").arg(&directory);
        command.output().expect("the command runs")
    };
    let path = directory.join("uplink.toml");
    let output = new("uplink");
    assert_eq!(code(&output), Some(0), "{}", stderr(&output));
    let said = format!("wrote {0}\n\nnow try: hxsim run {0}\n", path.display());
    assert_eq!(stdout(&output), said);
    let output = run(&path, &[]);
    assert_eq!(code(&output), Some(0), "{}", stdout(&output));
    assert!(
        stdout(&output).contains("━ partition"),
        "{}",
        stdout(&output)
    );
    // What is not chosen in it could be: all that begins with `# key` is a line that may stand there.
    let text = fs::read_to_string(&path).expect("it is there");
    let chosen = text
        .replace("# stop =", "stop =")
        .replace("# goal =", "goal =");
    let chosen = chosen.replace("# [[network.link]]", "[[network.link]]");
    let chosen = chosen
        .replace("# between", "between")
        .replace("# latency", "latency");
    fs::write(&path, chosen).expect("it can be changed");
    assert_eq!(code(&run(&path, &[])), Some(0));

    let output = new("uplink");
    assert_eq!(code(&output), Some(2));
    let expected = format!(
        "error: {} is there already, and nothing is written over\n  = choose another NAME, or another directory by --path\n",
        path.display()
    );
    assert_eq!(stderr(&output), expected);
    let output = new("../uplink");
    assert_eq!(code(&output), Some(2));
    assert!(stderr(&output).starts_with("error: `../uplink` is no name of a scenario\n"));
}

#[test]
fn a_new_crate_depends_on_the_checkout_it_is_made_in_or_told() {
    let directory = directory("new-protocol");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = root.canonicalize().expect("the checkout is there");
    let new = |here: &Path, name: &str, arguments: &[&str]| {
        let mut command = hxsim();
        command.current_dir(here).args(["new", "protocol", name]);
        command
            .arg("--path")
            .arg(directory.join(name))
            .args(arguments);
        command.output().expect("the command runs")
    };
    let manifest = |name: &str| {
        let text = fs::read_to_string(directory.join(name).join("Cargo.toml"));
        let text = text.expect("the manifest is there");
        toml::from_str::<toml::Table>(&text).expect("it is TOML")
    };
    let path = |name: &str| manifest(name)["dependencies"]["hxsim"]["path"].clone();
    let expected = toml::Value::String(root.join("crates/hxsim").display().to_string());

    let output = new(&root.join("crates"), "within", &[]);
    assert_eq!(code(&output), Some(0), "{}", stderr(&output));
    assert_eq!(path("within"), expected);
    let told = root.display().to_string();
    assert_eq!(
        code(&new(Path::new("/"), "told", &["--hxsim", &told])),
        Some(0)
    );
    assert_eq!(path("told"), expected);
    let output = new(Path::new("/"), "elsewhere", &[]);
    assert_eq!(code(&output), Some(2));
    assert_eq!(
        stderr(&output),
        "error: /: this is not within a checkout of this project, and the new crate depends on one\n  = name it by --hxsim DIR\n"
    );
    assert!(!directory.join("elsewhere").exists(), "nothing was written");

    for (name, arguments, said) in [
        (
            "within",
            &[][..],
            "is there already, and nothing is written over",
        ),
        (
            "match",
            &[],
            "error: `match` means something else already\n  = ",
        ),
        (
            "other",
            &["--hxsim", "/"],
            "error: /: no checkout of this project is here\n  = ",
        ),
    ] {
        let output = new(&root, name, arguments);
        assert_eq!(code(&output), Some(2));
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
}

#[test]
fn what_shells_editors_and_manuals_need_is_printed() {
    let printed = |arguments: &[&str]| {
        let output = hxsim().args(arguments).output().expect("the command runs");
        assert_eq!(code(&output), Some(0), "{}", stderr(&output));
        stdout(&output)
    };
    assert!(printed(&["completions", "bash"]).contains("complete -F _hxsim"));
    assert!(printed(&["man"]).contains(".TH hxsim 1"));
    let pages = directory("man");
    assert_eq!(printed(&["man", "--all", &pages.display().to_string()]), "");
    let page = fs::read_to_string(pages.join("hxsim-new-protocol.1"));
    assert_eq!(
        page.expect("it is there"),
        printed(&["man", "new", "protocol"])
    );
    assert!(printed(&["man", "new", "protocol"]).contains(".TH hxsim-new-protocol 1"));
    let schema: Value = serde_json::from_str(&printed(&["schema"])).expect("the schema is JSON");
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    let output = hxsim()
        .args(["man", "ran"])
        .output()
        .expect("the command runs");
    assert_eq!(code(&output), Some(2));
}

/// What Ctrl-C does.
#[cfg(unix)]
pub(crate) fn interrupt(child: &Child) {
    let interrupt = format!("kill -INT {}", child.id());
    let kill = Command::new("sh").args(["-c", &interrupt]).status();
    assert!(kill.is_ok_and(|status| status.success()));
}

/// The scenario comes through a pipe that holds less than it, so that once all is written the command is known to read, and so to listen.
#[cfg(unix)]
#[test]
fn an_interrupted_run_still_reports() {
    // A node that is cut off never ceases to redial.
    let cut_off = "[[fault]]\nkind = \"partition\"\nat = \"0s\"\ngroups = [[3]]\n";
    let endless = RING.replace("10s", "1000000h")
        + "run.stop = \"horizon\"\nrun.check_every = \"1h\"\n"
        + cut_off;
    let padding = format!("#{}\n", "-".repeat(1 << 20));
    let mut command = hxsim();
    command.args(["run", "/dev/stdin", "--format", "json"]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command runs");
    let mut stdin = child.stdin.take().expect("its input is a pipe");
    stdin
        .write_all((padding + &endless).as_bytes())
        .expect("it reads");
    drop(stdin);
    interrupt(&child);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(code(&output), Some(130), "{}", stderr(&output));
    assert_eq!(json(&output)["outcome"], "interrupted");
}

/// What the guide shows is run in CI, so what the readme shows of it is true as well.
#[test]
fn the_readme_shows_parts_of_the_guide() {
    let readme = include_str!("../../../../README.md");
    let guide = timeless(include_str!("../../PORTING.md"));
    let shown: Vec<_> = ["```console\n", "```diff\n"]
        .iter()
        .flat_map(|fence| readme.split(fence).skip(1))
        .map(|rest| rest.split("```").next().unwrap_or_default())
        .collect();
    assert!(shown.len() >= 5, "a transcript is there");
    for part in shown {
        assert!(
            guide.contains(&timeless(part)),
            "the guide does not show\n{part}"
        );
    }
}

/// Without the times that tests took.
fn timeless(text: &str) -> String {
    let lines = text
        .lines()
        .map(|line| line.split("; finished in ").next().unwrap_or_default());
    lines.fold(String::new(), |all, line| all + line + "\n")
}

#[test]
fn every_figure_is_listed_with_its_column() {
    let output = hxsim().arg("figures").output().expect("the command runs");
    assert_eq!(code(&output), Some(0));
    let text = stdout(&output);
    assert_eq!(text.lines().count(), 1 + hxsim::figure::FIGURES.len());
    let t99 = text.lines().find(|line| line.starts_with("t99 "));
    assert!(
        t99.is_some_and(|line| line.contains(" t99_ns ") && line.contains(" a time ")),
        "{text}"
    );
}

#[test]
fn the_readme_shows_what_the_command_says() {
    let readme = include_str!("../../../../README.md");
    let (_, shown) = readme.split_once("```text\n").expect("there is a picture");
    let (shown, _) = shown.split_once("\n```").expect("it ends");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = run(&root.join("sims/partition-heal.toml"), &[]);
    assert_eq!(code(&output), Some(0));
    assert_eq!(stdout(&output).trim_end(), shown.trim_end());
}
