/// The first example in some Markdown, or in the comment of a crate.
fn example(text: &str) -> Vec<&str> {
    let lines = text.lines().map(|line| {
        let comment = line.strip_prefix("//! ").or(line.strip_prefix("//!"));
        comment.unwrap_or(line)
    });
    let behind = lines.skip_while(|line| !line.starts_with("```")).skip(1);
    behind.take_while(|line| !line.starts_with("```")).collect()
}

#[test]
fn the_readme_begins_with_the_example_of_the_crate() {
    let readme = example(include_str!("../../README.md"));
    assert!(readme.contains(&"fn main() -> Result {"), "{readme:?}");
    assert_eq!(readme, example(include_str!("../../src/lib.rs")));
}
