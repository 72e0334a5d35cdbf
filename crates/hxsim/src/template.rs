//! What `hxsim new` writes: a crate with a protocol of one's own to begin with, and a scenario.

use std::error::Error;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

/// Files to be written, by their paths within a directory.
pub type Files = Vec<(String, String)>;

/// A name that cannot be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadName {
    name: String,
    wrong: &'static str,
    right: &'static str,
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, wrong, right } = self;
        write!(f, "error: `{}` {wrong}\n  = {right}", name.escape_debug())
    }
}

impl Error for BadName {}

/// A crate with a protocol: its node, a check, a scenario, a command and a test.
///
/// # Errors
///
/// [`BadName`] if no crate can be called so.
pub fn protocol(name: &str, checkout: &Path) -> Result<Files, BadName> {
    check_crate(name)?;
    let named = |text: &str| {
        let text = text.replace("my-protocol", name);
        let text = text.replace("my_protocol", &name.replace('-', "_"));
        text.replace("MyProtocol", &type_name(name))
    };
    let manifest = named(include_str!("../templates/protocol/Cargo.toml.txt"))
        .replace("HXSIM", &requirement(checkout, "hxsim"))
        .replace("SIMNET", &requirement(checkout, "simnet"));
    let scenario = include_str!("../templates/protocol/scenario.toml");
    let node = include_str!("../templates/protocol/src/lib.rs");
    let command = include_str!("../templates/protocol/src/main.rs");
    let test = include_str!("../templates/protocol/tests/seeds.rs");
    let files = [
        ("Cargo.toml", manifest),
        ("scenario.toml", scenario.to_owned()),
        ("src/lib.rs", named(node)),
        ("src/main.rs", named(command)),
        ("tests/seeds.rs", named(test)),
        (".gitignore", "/target\n".to_owned()),
    ];
    Ok(files.map(|(path, text)| (path.to_owned(), text)).into())
}

/// A scenario with comments, that runs as it is.
///
/// # Errors
///
/// [`BadName`], for the name is that of its file and of its results.
pub fn scenario(name: &str) -> Result<Files, BadName> {
    if name.is_empty() || !name.chars().all(is_plain) {
        let right = "letters, digits, `-` and `_`; the file gets its .toml by itself";
        return Err(BadName::new(name, "is no name of a scenario", right));
    }
    let text = include_str!("../templates/scenario.toml").to_owned();
    Ok(vec![(format!("{name}.toml"), text)])
}

/// Writes files into a directory, which is made.
///
/// # Errors
///
/// `AlreadyExists` if one of them is there already; then none is written. Others as they come.
pub fn write(directory: &Path, files: &[(String, String)]) -> io::Result<()> {
    for (name, _) in files {
        let path = directory.join(name);
        // A link that leads nowhere is something that is there, too.
        if path.symlink_metadata().is_ok() {
            let message = format!("{} is there already", path.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
        }
    }
    for (name, text) in files {
        let path = directory.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::File::create_new(&path)
            .and_then(|mut file| io::Write::write_all(&mut file, text.as_bytes()))?;
    }
    Ok(())
}

/// The next checkout of this project, from a directory upwards: where `crates/hxsim` and `crates/simnet` are.
pub fn checkout(from: &Path) -> Option<&Path> {
    from.ancestors().find(|path| is_checkout(path))
}

/// Whether this directory is a checkout of this project.
pub fn is_checkout(path: &Path) -> bool {
    let crates = ["hxsim", "simnet"];
    crates
        .iter()
        .all(|name| path.join("crates").join(name).join("Cargo.toml").is_file())
}

/// A crate of a checkout as a dependency in TOML.
fn requirement(checkout: &Path, name: &str) -> String {
    let path = checkout.join("crates").join(name).display().to_string();
    // What JSON calls a string TOML does too.
    format!("{{ path = {} }}", serde_json::Value::String(path))
}

fn check_crate(name: &str) -> Result<(), BadName> {
    let right = "begin with a letter; then letters, digits, `-` and `_`; all of them small";
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
    if !begins || !name.chars().all(|c| is_plain(c) && !c.is_ascii_uppercase()) {
        return Err(BadName::new(name, "is no name of a crate", right));
    }
    if name.len() > NAME_MAX {
        return Err(BadName::new(name, "is too long", "64 characters at most"));
    }
    let (module, kind) = (name.replace('-', "_"), type_name(name));
    if TAKEN.contains(&module.as_str()) || TAKEN_TYPES.contains(&kind.as_str()) {
        return Err(BadName::new(
            name,
            "means something else already",
            "for example: my-protocol",
        ));
    }
    Ok(())
}

const fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

/// As for the registry.
const NAME_MAX: usize = 64;

/// Words of the language, directories of Cargo, and crates that the new one uses or always has.
#[rustfmt::skip]
const TAKEN: &[&str] = &[
    "abstract", "alloc", "as", "async", "await", "become", "box", "break", "build", "const", "continue", "core",
    "crate", "deps", "do", "dyn", "else", "enum", "examples", "extern", "false", "final", "fn", "for", "futures",
    "gen", "hxsim", "if", "impl", "in", "incremental", "let", "loop", "macro", "match", "mod", "move", "mut",
    "override", "priv", "proc_macro", "pub", "ref", "return", "scenario", "self", "simnet", "static", "std", "struct",
    "super", "test", "trait", "trial", "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual",
    "where", "while",
];

/// Types that the new crate uses.
#[rustfmt::skip]
const TAKEN_TYPES: &[&str] = &[
    "AsyncRead", "AsyncWrite", "Box", "Duration", "Err", "Error", "ExitCode", "Host", "Known", "NodeId", "Ok",
    "Option", "Path", "Progress", "Protocol", "Rc", "RefCell", "Result", "Scenario", "Seat", "Self", "Some", "Stream",
    "String", "Time", "Unpin", "Vec", "Violation",
];

/// `anti-entropy` as the name of a type: `AntiEntropy`.
fn type_name(name: &str) -> String {
    let words = name.split(['-', '_']).filter(|word| !word.is_empty());
    words
        .map(|word| {
            let (first, rest) = word.split_at(1);
            first.to_ascii_uppercase() + rest
        })
        .collect()
}

impl BadName {
    fn new(name: &str, wrong: &'static str, right: &'static str) -> Self {
        let name = name.to_owned();
        Self { name, wrong, right }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_of_a_crate() {
        for good in ["rumour", "anti-entropy", "x", "a_2"] {
            assert_eq!(check_crate(good), Ok(()), "{good}");
        }
        let long = "a".repeat(65);
        for bad in [
            "",
            "2pc",
            "-a",
            "Rumour",
            "a b",
            "../a",
            "ü",
            "match",
            "hxsim",
            "proc-macro",
            "protocol",
            &long,
        ] {
            assert!(check_crate(bad).is_err(), "{bad}");
        }
        let told = check_crate("a\nb").map_err(|it| it.to_string());
        assert!(
            told.is_err_and(|it| it.starts_with("error: `a\\nb` is no name of a crate\n  = begin"))
        );
    }

    #[test]
    fn the_name_is_wherever_it_belongs() {
        let files = protocol("anti-entropy", Path::new("/here")).expect("a good name");
        let all: String = files.iter().map(|(_, text)| text.as_str()).collect();
        for expected in [
            "name = \"anti-entropy\"",
            "pub struct AntiEntropy;",
            "use anti_entropy::{AntiEntropy, scenario};",
            "usage: anti-entropy [--seed N]",
            "hxsim = { path = \"/here/crates/hxsim\" }",
        ] {
            assert!(all.contains(expected), "{expected}");
        }
        for placeholder in [
            "my-protocol",
            "my_protocol",
            "MyProtocol",
            "HXSIM",
            "SIMNET",
        ] {
            assert!(!all.contains(placeholder), "{placeholder}");
        }
    }

    #[test]
    fn types_have_humps() {
        assert_eq!(type_name("anti-entropy_2"), "AntiEntropy2");
        assert_eq!(type_name("a--b"), "AB");
    }

    #[test]
    fn a_path_is_quoted_for_toml() {
        let path = Path::new("/tmp/it's \"here\"");
        let quoted = requirement(path, "simnet");
        let parsed: toml::Table =
            toml::from_str(&format!("simnet = {quoted}")).expect("it is TOML");
        let path = path.join("crates/simnet").display().to_string();
        assert_eq!(parsed["simnet"]["path"].as_str(), Some(path.as_str()));
    }
}
