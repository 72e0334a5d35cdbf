/// The first example in some Markdown, or in the comment of a crate.
fn example(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let comment = line.strip_prefix("//! ").or(line.strip_prefix("//!"));
        comment.unwrap_or(line)
    });
    let behind = lines.skip_while(|line| !line.starts_with("```")).skip(1);
    let lines = behind.take_while(|line| !line.starts_with("```"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn the_readme_begins_with_the_example_of_the_crate() {
    let readme = example(include_str!("../../README.md"));
    assert!(readme.contains("fn main() -> Result {"), "{readme}");
    assert_eq!(readme, example(include_str!("../../src/lib.rs")));
}

#[test]
fn what_the_readme_begins_with_is_what_is_tested() {
    let readme = example(include_str!("../../README.md"));
    let (_, trade) = readme.split_once("type Result").expect("it names one");
    let (trade, _) = trade.split_once("fn main()").expect("it ends with one");
    let tested = include_str!("quick_start.rs");
    assert!(tested.contains(trade.trim_end()), "{trade}");
}
