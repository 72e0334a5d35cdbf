use std::io;
use std::path::{Path, PathBuf};

use hxsim::cli;
use hxsim::scenario::Scenario;
use hxsim::template;

use super::{Failure, print, write};

/// `hxsim new`.
pub(crate) fn new(args: &cli::New) -> Result<u8, Failure> {
    match args {
        cli::New::Protocol(args) => new_protocol(args)?,
        cli::New::Scenario(args) => {
            let files = template::scenario(&args.name).map_err(Failure::usage)?;
            write_new(&args.path, &files)?;
            let path = args.path.join(&files[0].0);
            print(&format!("\nnow try: hxsim run {}\n", path.display()))?;
        }
    }
    Ok(0)
}

fn new_protocol(args: &cli::NewProtocol) -> Result<(), Failure> {
    let here = Path::new(".").canonicalize();
    let here = here.map_err(|error| Failure::io(Path::new("."), &error))?;
    let checkout = match &args.hxsim {
        Some(path) => match path.canonicalize() {
            Ok(path) if template::is_checkout(&path) => path,
            _ => {
                return Err(Failure::usage(format_args!(
                    "error: {}: no checkout of this project is here\n  = it would have `crates/hxsim` and `crates/simnet`",
                    path.display()
                )));
            }
        },
        None => match template::checkout(&here) {
            Some(path) => path.to_owned(),
            None => {
                return Err(Failure::usage(format_args!(
                    "error: {}: this is not within a checkout of this project, and the new crate depends on one\n  = name it by --hxsim DIR",
                    here.display()
                )));
            }
        },
    };
    let files = template::protocol(&args.name, &checkout).map_err(Failure::usage)?;
    let directory = args
        .path
        .clone()
        .unwrap_or_else(|| PathBuf::from(&args.name));
    write_new(&directory, &files)?;
    print(&format!(
        "\nnow try: cd {} && cargo test\n",
        directory.display()
    ))
}

/// Writes new files and says so.
fn write_new(directory: &Path, files: &[(String, String)]) -> Result<(), Failure> {
    template::write(directory, files).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::usage(format_args!(
            "error: {error}, and nothing is written over\n  = choose another NAME, or another directory by --path"
        )),
        _ => Failure::io(directory, &error),
    })?;
    for (name, _) in files {
        print(&format!("wrote {}\n", directory.join(name).display()))?;
    }
    Ok(())
}

/// `hxsim man`.
pub(crate) fn man(args: &cli::Man) -> Result<u8, Failure> {
    match &args.all {
        Some(directory) => {
            for (name, page) in cli::man_pages() {
                write(&directory.join(name), &page)?;
            }
        }
        None => print(&cli::man(&args.command).map_err(Failure::usage)?)?,
    }
    Ok(0)
}

/// `hxsim schema`.
pub(crate) fn schema() -> Result<u8, Failure> {
    print(Scenario::SCHEMA).map(|()| 0)
}

/// `hxsim completions`.
pub(crate) fn completions(args: &cli::Completions) -> Result<u8, Failure> {
    print(&cli::completions(args.shell)).map(|()| 0)
}
