//! Names of files and folders, quoted where they have to be.

use std::fs;

/// Splits a line up to the cursor where quotes keep blanks together: where the last word begins, and
/// the words before it.
pub fn split(head: &str) -> (usize, Vec<String>) {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut start = 0;
    let mut quote = None;
    for (at, c) in head.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                start = at + c.len_utf8();
            }
            _ => word.push(c),
        }
    }
    (start, words)
}

/// Files and folders whose names go on from `word`, which may begin with a quote. Folders end with
/// `/`, files with a blank. Hidden ones only if a dot was typed.
pub fn names(word: &str, folders_only: bool) -> Vec<String> {
    let typed = word.chars().next().filter(|c| *c == '"' || *c == '\'');
    let path = word.trim_start_matches(['"', '\'']);
    let (folder, beginning) = match path.rfind('/') {
        Some(at) => path.split_at(at + 1),
        None => ("", path),
    };
    let looked = if folder.is_empty() { "." } else { folder };
    let mut found = Vec::new();
    for entry in fs::read_dir(looked).into_iter().flatten().flatten() {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let hidden = name.starts_with('.') && !beginning.starts_with('.');
        if hidden || !name.starts_with(beginning) || name.contains(char::is_control) {
            continue;
        }
        // A link counts as what it leads to.
        let is_folder = fs::metadata(entry.path()).is_ok_and(|data| data.is_dir());
        if folders_only && !is_folder {
            continue;
        }
        let needs = |c: char| c.is_whitespace() || "\"'\\;#".contains(c);
        let quote =
            typed.or_else(|| (folder.contains(needs) || name.contains(needs)).then_some('"'));
        let open = quote.map(String::from).unwrap_or_default();
        found.push(match is_folder {
            // The name goes on, so the quote stays open.
            true => format!("{open}{folder}{name}/"),
            false => format!("{open}{folder}{name}{open} "),
        });
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_blanks_dashes_and_slashes_are_completed() {
        let folder = std::env::temp_dir().join(format!("spp-complete-{}", std::process::id()));
        fs::create_dir_all(folder.join("a-b/c d")).unwrap();
        for name in ["a-b/one.rcp", "a-b/two words.rcp", "a-b/.hidden"] {
            fs::write(folder.join(name), "").unwrap();
        }
        let base = folder.to_str().unwrap();
        let all = |word: &str, folders| -> Vec<String> {
            let names = names(&word.replace("BASE", base), folders);
            names
                .iter()
                .map(|name| name.replace(base, "BASE"))
                .collect()
        };
        assert_eq!(all("BASE/a-", false), ["BASE/a-b/"]);
        assert_eq!(
            all("BASE/a-b/", false),
            [
                "\"BASE/a-b/c d/",
                "\"BASE/a-b/two words.rcp\" ",
                "BASE/a-b/one.rcp "
            ]
        );
        assert_eq!(all("BASE/a-b/", true), ["\"BASE/a-b/c d/"]);
        assert_eq!(all("\"BASE/a-b/t", false), ["\"BASE/a-b/two words.rcp\" "]);
        assert_eq!(all("BASE/a-b/.h", false), ["BASE/a-b/.hidden "]);
        assert_eq!(all("BASE/nosuch/", false), Vec::<String>::new());
        fs::remove_dir_all(&folder).unwrap();
        let head = "cat \"a b\" x/\"y z";
        let (start, before) = split(head);
        assert_eq!(
            (&head[start..], before),
            ("x/\"y z", vec!["cat".into(), "a b".into()])
        );
    }
}
