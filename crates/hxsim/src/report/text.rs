//! Lines for people.

/// Breaks at spaces into at most so many lines; what does not fit into them is cut.
pub(crate) fn wrap(text: &str, width: usize, most: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        let line = &mut lines[last];
        let length = line.chars().count() + 1 + word.chars().count();
        if line.is_empty() {
            line.push_str(word);
        } else if length <= width {
            line.push(' ');
            line.push_str(word);
        } else if last + 1 < most {
            lines.push(word.to_owned());
        } else {
            line.push_str(" …");
            break;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_cut() {
        assert_eq!(wrap("a bb ccc dddd", 4, 2), ["a bb", "ccc …"]);
        assert_eq!(wrap("a bb ccc dddd", 4, 3), ["a bb", "ccc", "dddd"]);
        assert_eq!(wrap("", 4, 2), [""]);
    }
}
