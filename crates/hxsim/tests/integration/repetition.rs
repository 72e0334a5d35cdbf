//! Many runs at once: seeds, parameters, and what they come to together.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;

use hxsim::figure::Figure;
use hxsim::report::{Outcome, Report};
use hxsim::scenario::Scenario;
use hxsim::sweep::{self, Plan, Sweep};
use serde_json::Value;

use crate::command::{code, hxsim, interrupt, json, run, scenario, stderr, stdout};
use crate::figures::simulate;

const MESH: &str = r#"
question = "Does a body get around?"
nodes = 10
topology = { kind = "random_regular", degree = 4 }
network.latency = { floor = "10ms", uniform = "20ms" }
network.loss = "2%"
workload = { publishers = 2, size = "1KiB" }
run.horizon = "10s"
"#;

#[test]
fn output_is_the_same_to_the_byte_on_any_number_of_threads() {
    let path = scenario("threads", MESH);
    let texts = |threads: &str| {
        let out = path.with_file_name(format!("out-{threads}"));
        let directory = out.to_string_lossy();
        let sweep = [
            "--seeds",
            "1..9",
            "-L",
            "nodes=6,10",
            "-L",
            "network.loss=0%,5%",
        ];
        let other = ["--threads", threads, "--out", &directory];
        let output = run(&path, &[&sweep[..], &other].concat());
        assert_eq!(code(&output), Some(0), "{}", stderr(&output));
        let files = ["csv", "json", "jsonl", "svg"].map(|extension| {
            let file = out.join(format!("ring.sweep.{extension}"));
            fs::read_to_string(file).expect("it was written")
        });
        (stdout(&output), files)
    };
    let (human, files) = texts("1");
    assert!(
        human.starts_with("✓ 32 runs: 32 converged  ring · 4 points × 8 seeds"),
        "{human}"
    );
    for threads in ["2", "5"] {
        assert!(
            (human.clone(), files.clone()) == texts(threads),
            "{threads} threads"
        );
    }
    let [csv, json, jsonl, _] = files;
    assert_eq!((csv.lines().count(), jsonl.lines().count()), (33, 32));
    let json: Value = serde_json::from_str(&json).expect("it is JSON");
    assert_eq!((&json["planned"], &json["done"]), (&32.into(), &32.into()));
    assert_eq!(json["points"][1]["set"]["network.loss"], "5%");
}

#[test]
fn a_row_of_a_sweep_is_what_a_run_alone_comes_to() {
    let path = scenario("rows", MESH);
    let sweep = run(
        &path,
        &["--seeds", "3,1", "-L", "nodes=6,10", "--format", "jsonl"],
    );
    let rows: Vec<Value> = stdout(&sweep)
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect();
    let key = |row: &Value| (row["nodes"].as_u64(), row["seed"].as_u64());
    let keys: Vec<_> = rows.iter().map(key).collect();
    let expected =
        [(6, 3), (6, 1), (10, 3), (10, 1)].map(|(nodes, seed)| (Some(nodes), Some(seed)));
    assert_eq!(keys, expected, "seeds stand as they were given");

    let alone = run(
        &path,
        &["--seed", "1", "--set", "nodes=6", "--format", "json"],
    );
    let alone = json(&alone);
    assert_eq!(rows[1]["digest"], alone["digest"]);
    assert_eq!(rows[1]["t99_ns"], alone["convergence"]["t99_ns"]);
    assert_eq!(rows[1]["rmr_mean"], alone["overhead"]["rmr_mean"]);
    let one = run(
        &path,
        &["--seed", "1", "--set", "nodes=6", "--format", "jsonl"],
    );
    let one: Value = serde_json::from_slice(&one.stdout).expect("one line");
    assert_eq!(
        one, rows[1],
        "the number of nodes has the same column, scanned or not"
    );
}

#[test]
fn csv_has_a_header_and_a_cell_for_each_column() {
    let text = format!("{MESH}[expect]\nt99 = \"< 5s\"\n");
    let path = scenario("csv", &text);
    let latency = "network.latency={ floor = '1ms', uniform = '2ms' },10ms";
    let output = run(
        &path,
        &[
            "-L",
            latency,
            "-L",
            "workload.share=0%,100%",
            "--format",
            "csv",
        ],
    );
    assert_eq!(
        code(&output),
        Some(2),
        "with a share of 100% nothing is left to deliver"
    );
    assert!(
        stderr(&output).contains("`t99` can never be evaluated here"),
        "{}",
        stderr(&output)
    );

    let output = run(&path, &["-L", latency, "--format", "csv"]);
    assert_eq!(code(&output), Some(0), "{}", stderr(&output));
    let csv = stdout(&output);
    let lines: Vec<&str> = csv.lines().collect();
    assert!(
        lines[0].starts_with(
            "scenario,network.latency,network.latency_ns,seed,outcome,digest,nodes,edges,hashes,ended_ns,"
        )
    );
    assert!(lines[0].ends_with(",expect_t99"));
    let quoted = "ring,\"{ floor = '1ms', uniform = '2ms' }\",,1,converged,";
    assert!(lines[1].starts_with(quoted), "{}", lines[1]);
    assert!(
        lines[2].starts_with("ring,10ms,10000000,1,converged,"),
        "{}",
        lines[2]
    );
    let columns = lines[0].split(',').count();
    assert_eq!(lines[2].split(',').count(), columns);
    assert!(lines[2].ends_with(",true"));
}

/// Three nodes are cut off for ever, but only if the horizon comes before what heals.
#[test]
fn every_run_is_made_and_the_worst_decides() {
    let text = format!(
        "{MESH}[[fault]]\nkind = \"partition\"\nat = \"0s\"\nuntil = \"4.999s\"\ngroups = [[3]]\n[expect]\nt50 = \"< 60ms\"\n"
    );
    let path = scenario("worst", &text);
    let output = run(&path, &["--seeds", "1..4", "-L", "run.horizon=20s,5s"]);
    assert_eq!(code(&output), Some(10), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(
        text.starts_with("✗ 6 runs: 3 converged, 3 not converged"),
        "{text}"
    );
    assert!(
        text.contains("  run.horizon=5s: 3 not converged\n  not converged: seeds 1, 2, 3\n"),
        "{text}"
    );
    let replay = format!(
        "\n  hxsim run {} --seed 1 --set run.horizon=20s\n",
        path.display()
    );
    assert!(
        text.contains(&replay),
        "the first that missed what was expected of it: {text}"
    );

    let output = run(
        &path,
        &[
            "--seeds",
            "1..4",
            "--set",
            "run.horizon=20s",
            "--format",
            "csv",
        ],
    );
    assert_eq!(code(&output), Some(12));
    let replay = format!(
        "hxsim run {} --seed 1 --set run.horizon=20s",
        path.display()
    );
    assert!(
        stderr(&output).trim_end().ends_with(&replay),
        "{}",
        stderr(&output)
    );
    let once_more = run(&path, &["--seed", "1", "--set", "run.horizon=20s"]);
    assert_eq!(code(&once_more), Some(12), "and it does");
}

#[test]
fn mistakes_in_what_is_scanned_are_shown_in_it() {
    let path = scenario("mistakes", MESH);
    let told = |arguments: &[&str]| {
        let output = run(&path, arguments);
        assert_eq!((code(&output), &*stdout(&output)), (Some(2), ""));
        stderr(&output)
    };
    let text = told(&[
        "--set",
        "nodes=8",
        "-L",
        "workload.size=1KiB",
        "-L",
        "network.loss=0%,5",
    ]);
    assert!(text.starts_with("-L 2:1:14: error: "), "{text}");
    assert!(
        text.contains("1 | network.loss=5\n"),
        "the point at which it is wrong: {text}"
    );
    let text = told(&["-L", "nodes=0,10,x"]);
    assert_eq!(text.matches("error: ").count(), 2, "both are told: {text}");
    assert!(
        text.contains("1 | nodes=0\n") && text.contains("1 | nodes=x\n"),
        "{text}"
    );
    let text = told(&["-L", "nods=10,20"]);
    assert_eq!(
        text.matches("error: ").count(),
        1,
        "one name, one mistake: {text}"
    );
    assert!(told(&["-L", "nodes=10,,20"]).starts_with("-L 1:1:10: error: there is no value here"));
    assert!(told(&["-L", "nods=10,20"]).contains("did you mean `nodes`?"));
    let many = (0..400)
        .map(|number| number.to_string())
        .collect::<Vec<_>>()
        .join(",");
    let text = told(&["--seeds", "0..1000", "-L", &format!("nodes={many}")]);
    assert!(
        text.starts_with("-L 1: error: all combinations with 1000 seeds are 400000 runs"),
        "{text}"
    );
    assert!(told(&["--seeds", "9..1"]).contains("a range ends before its second number"));
}

fn plan(path: &Path, scans: &[&str], seeds: &[u64]) -> Plan {
    let scans: Vec<String> = scans.iter().map(|scan| (*scan).to_owned()).collect();
    Plan::load(path, &[], &scans, seeds).unwrap_or_else(|bad| panic!("{bad}"))
}

#[test]
fn a_sweep_that_is_stopped_keeps_what_was_done() {
    let path = scenario("stopped", MESH);
    let sweep = sweep::run(
        plan(&path, &["nodes=6,10"], &[1, 2, 3]),
        1,
        |scenario, _| Ok::<_, String>(simulate(scenario)),
        |_, _| Ok(()),
        |pace| match pace.done < 4 {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        },
    );
    let sweep: Sweep = sweep.expect("every run can be made");
    assert_eq!((sweep.rows.len(), sweep.exit_code()), (4, 130));
    let human = sweep.human(false, None);
    assert!(human.starts_with("? 4 runs of 6: 4 converged"), "{human}");
    assert!(human.contains("nodes=10: 1 converged"), "{human}");
    let json: Value = serde_json::from_str(&sweep.json()).expect("it is JSON");
    assert_eq!((&json["planned"], &json["done"]), (&6.into(), &4.into()));
    assert_eq!(
        sweep.svg().matches("class=\"dot\"").count(),
        2,
        "both points have runs"
    );
}

#[test]
fn a_sweep_of_nothing_done_has_its_texts_too() {
    let path = scenario("nothing", MESH);
    for scans in [&["nodes=6,10"][..], &[]] {
        let simulate = |_: &Scenario, _: &mut dyn FnMut(_) -> _| -> Result<Report, String> {
            unreachable!("it never begins")
        };
        let sweep = sweep::run(
            plan(&path, scans, &[1, 2]),
            2,
            simulate,
            |_, _| Ok(()),
            |_| ControlFlow::Break(()),
        );
        let sweep = sweep.expect("nothing was tried");
        assert_eq!(sweep.exit_code(), 130);
        assert!(sweep.human(false, None).contains(": none ended"));
        assert!(sweep.svg().ends_with("</svg>\n"));
        let csv = sweep::csv(Some(&sweep.plan), &sweep.rows);
        assert!(csv.starts_with("scenario,seed,outcome,digest,nodes,edges,hashes,"));
        assert_eq!(csv.lines().count(), 1, "{csv}");
        let json: Value = serde_json::from_str(&sweep.json()).expect("it is JSON");
        assert_eq!(json["runs"], Value::Array(Vec::new()));
    }
}

#[test]
fn of_runs_that_cannot_be_made_the_first_is_named_whatever_ends_first() {
    let path = scenario("impossible", MESH);
    for threads in [1, 2, 8] {
        let kept = Mutex::new(Vec::new());
        let failed = sweep::run(
            plan(&path, &["nodes=6,10"], &[1, 2, 3, 4]),
            threads,
            |scenario, _| match scenario.seed > 2 {
                true => Err(format!("no {}", scenario.seed)),
                false => Ok(simulate(scenario)),
            },
            |_, row| {
                kept.lock().expect("nobody panics").push(row.seed);
                Ok(())
            },
            |_| ControlFlow::Continue(()),
        );
        let failed = failed.expect_err("some cannot be made");
        assert_eq!(
            (failed.sets, failed.seed, &*failed.error),
            (vec!["nodes=6".into()], 3, "no 3")
        );
        let mut kept = kept.into_inner().expect("nobody panics");
        kept.sort_unstable();
        let mut rows: Vec<_> = failed.sweep.rows.iter().map(|row| row.seed).collect();
        assert_eq!(rows[..2], [1, 2], "what was made before is there");
        rows.sort_unstable();
        assert_eq!(kept, rows);
    }
}

#[test]
fn a_broken_rule_is_told_but_its_figures_are_left_out() {
    let path = scenario("broken", MESH);
    let sweep = sweep::run(
        plan(&path, &[], &[1, 2, 3]),
        2,
        |scenario, _| {
            let mut report = simulate(scenario);
            if scenario.seed == 2 {
                report.outcome = Outcome::InvariantBroken;
            }
            Ok::<_, String>(report)
        },
        |_, _| Ok(()),
        |_| ControlFlow::Continue(()),
    );
    let sweep = sweep.expect("every run can be made");
    assert_eq!(sweep.exit_code(), 11);
    assert_eq!(sweep.first_failed().map(|row| row.seed), Some(2));
    let t99 = Figure::named("t99").expect("there is one");
    assert_eq!(sweep.summary(0, t99).map(|summary| summary.count), Some(2));
    let human = sweep.human(false, None);
    assert!(human.contains("  invariant broken: seed 2\n"), "{human}");
    let line = human
        .lines()
        .find(|line| line.trim_start().starts_with("t99 "));
    assert!(
        line.is_some_and(|line| line.ends_with("  in 2 of 3")),
        "{human}"
    );
}

#[test]
fn a_line_for_a_shell_quotes_what_it_must() {
    let path = scenario("quoting", MESH);
    let plan = plan(
        &path,
        &["topology={ kind = \"ring\" },{ kind = \"line\" }"],
        &[7],
    );
    let sweep = sweep::run(
        plan,
        1,
        |scenario, _| Ok::<_, String>(simulate(scenario)),
        |_, _| Ok(()),
        |_| ControlFlow::Continue(()),
    );
    let sweep = sweep.expect("every run can be made");
    let line = sweep.replay(&sweep.rows[0], "it's.toml", &["nodes=4".into()]);
    assert_eq!(
        line,
        r#"hxsim run 'it'\''s.toml' --seed 7 --set nodes=4 --set 'topology={ kind = "ring" }'"#
    );
}

/// Half of the runs never end, for a node that is cut off never ceases to redial. Where no terminal is, the first line of progress comes after ten seconds.
#[cfg(unix)]
#[test]
fn an_interrupted_sweep_writes_what_was_done() {
    let endless = format!(
        "{MESH}run.stop = \"horizon\"\n[[fault]]\nkind = \"partition\"\nat = \"0s\"\ngroups = [[3]]\n"
    );
    let path = scenario("interrupted", &endless);
    let out: PathBuf = path.with_file_name("out");
    let mut child = hxsim()
        .arg("run")
        .arg(&path)
        .args([
            "-L",
            "run.horizon=1s,277h",
            "--seeds",
            "1..4",
            "--threads",
            "2",
        ])
        .args(["--set", "run.check_every=1s"])
        // So that it redials a hundred times a second.
        .args([
            "--set",
            "network.stream={ retransmit = \"20ms\", timeout = \"50ms\" }",
        ])
        .args([
            "--set",
            "node={ backoff = \"10ms\", backoff_max = \"10ms\" }",
        ])
        .args(["--format", "csv", "--out"])
        .arg(&out)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command runs");
    // The first line of progress tells that it is well underway: all short runs are over by then.
    let mut told = String::new();
    let mut errors = BufReader::new(child.stderr.take().expect("its errors are a pipe"));
    errors.read_line(&mut told).expect("it says how it gets on");
    interrupt(&child);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(code(&output), Some(130));
    assert!(told.starts_with("ring: 3 of 6 runs done · "), "{told}");
    let mut last = String::new();
    errors.read_to_string(&mut last).expect("it is text");
    assert!(
        last.ends_with("interrupted: 3 of 6 runs were done\n"),
        "{last}"
    );
    assert!(told.contains(" · 2 underway, at "), "{told}");
    assert!(
        told.contains(" left") && told.contains(" frames/s · "),
        "{told}"
    );
    let rows =
        fs::read_to_string(out.join("ring.sweep.jsonl")).expect("rows are there as runs end");
    assert_eq!(rows.lines().count(), 3, "{rows}");
    let csv = stdout(&output);
    assert_eq!(csv.lines().count(), 1 + 3, "{csv}");
    let written = fs::read_to_string(out.join("ring.sweep.csv"));
    assert_eq!(written.expect("it was written"), csv);
    let beside = ["json", "svg"].map(|extension| out.join(format!("ring.sweep.{extension}")));
    assert!(beside.iter().all(|path| path.exists()));
}
