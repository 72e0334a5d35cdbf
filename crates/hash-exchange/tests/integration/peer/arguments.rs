//! What the command line takes.

use super::{run, text};

#[test]
fn wrong_arguments_have_a_status_of_their_own_and_a_word_about_right_ones() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().to_str().unwrap();
    for (arguments, word) in [
        (&["--nonsense"][..], "--nonsense is no flag"),
        (&["-x"], "goes behind --"),
        (&["--id"], "--id ID"),
        (&["--since"], "--since N"),
        (&["--since", "-2"], "from -1 to 9007199254740990"),
        (
            &["--since", "9007199254740991"],
            "from -1 to 9007199254740990",
        ),
        (&["--since", "soon"], "not soon"),
        (&["--since", "+5"], "not +5"),
        (&["--since", "1", "--since", "2"], "--since is given twice"),
        (&["--id", "a", "--id", "a"], "--id is given twice"),
        (&["--request"], "--request HASH"),
        (&["--limit"], "--limit BYTES"),
        (&["--limit", "1 MB"], "not 1 MB"),
        (&["--limit", "-1"], "takes a number of bytes"),
        (&["--limit", "1", "--limit", "1"], "--limit is given twice"),
        (&["--file"], "--file PATH"),
        (&["--file", "no such file"], "--file no such file: "),
        (&["--file", directory], "it takes a regular file"),
        (&["--lines", "no such file"], "--lines no such file: "),
        (&["--close=yes"], "--close"),
    ] {
        let output = run(arguments, &[]);
        let text = text(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(
            text.contains(word) && text.contains("peer --help"),
            "{text}"
        );
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn help_names_every_flag_and_every_notice() {
    let output = run(&["--help"], &[]);
    let help = String::from_utf8(output.stdout).unwrap();
    for word in [
        "--file",
        "--lines",
        "--digest",
        "--id",
        "--since",
        "--wait-since",
        "--seq",
        "--seen",
        "--request",
        "--limit",
        "--close",
        "--help",
        "--  ",
        "# BEGIN",
        "# END",
        "# FAILED",
        "# MISSING",
        "# ID",
        "# SINCE",
        "# SEEN",
        "# CLOSE",
    ] {
        assert!(help.contains(word), "{word}");
    }
    assert_eq!(output.status.code(), Some(0));
}
