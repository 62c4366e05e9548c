//! Files of applications, right and wrong.

use super::*;

fn read(text: &str) -> Result<App> {
    App::read(Path::new("/x/mine.toml"), text)
}

#[test]
fn all_that_come_with_spp_are_whole() {
    for (name, text) in BUILTIN {
        let app = builtin(name, text).unwrap();
        assert_eq!(&app.name, name);
        assert!(!app.summary.is_empty() && app.target().is_some(), "{name}");
        assert!(
            app.options.iter().all(|option| !option.help.is_empty()),
            "{name}"
        );
    }
}

#[test]
fn three_lines_are_enough() {
    let app = read("image = \"mine:1\"\nbinary = \"/usr/bin/mine\"\nargs = [\"--promiscuous\"]\n")
        .unwrap();
    assert_eq!(
        (app.name.as_str(), app.role, app.target()),
        ("mine", Role::Guest, None)
    );
}

#[test]
fn a_wrong_file_is_refused_with_line_and_reason() {
    let good = "image = \"x\"\nbinary = \"y\"\n";
    for (text, line, reason) in [
        ("image = \"x\"\n", 1, "missing field `binary`"),
        ("image = \"x\"\nbinary = \"\"\n", 2, "'binary' is empty"),
        ("image = \"x\"\nbinary = y\n", 2, ""),
        (
            "image = \"x\"\nbinary = \"y\"\ncolour = 1\n",
            3,
            "unknown field `colour`",
        ),
        (
            &format!("{good}role = \"king\"\n"),
            3,
            "unknown variant `king`",
        ),
        (&format!("{good}mounts = [\"here\"]\n"), 3, "/HOST:/GUEST"),
        (
            &format!("{good}\n[[option]]\nnames = [\"-x\", \"p\"]\n"),
            5,
            "'p' is no name of an option",
        ),
        (
            &format!("{good}\n[[option]]\nnames = [\"-l\"]\n"),
            5,
            "'-l' is an option of every application",
        ),
        (
            &format!("{good}exclusive = [[\"--a\", \"--b\"]]\n[[option]]\nnames = [\"--a\"]\n"),
            3,
            "'--b' is none of the options",
        ),
    ] {
        match read(text) {
            Err(Error::App {
                path,
                line: found,
                reason: said,
            }) => {
                assert_eq!(found, line, "{text}: {said}");
                assert!(said.contains(reason), "{said}");
                assert_eq!(path, Path::new("/x/mine.toml"));
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn a_users_file_is_found_and_comes_before_ours() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("mine.toml", "image = \"a\"\nbinary = \"b\"\n");
    write("l2fwd.toml", "image = \"c\"\nbinary = \"d\"\n");
    write("notes.txt", "no application");
    let all = all(Some(folder.path())).unwrap();
    assert_eq!(all.len(), BUILTIN.len() + 1);
    assert_eq!(find("l2fwd", Some(folder.path())).unwrap().image, "c");
    assert_eq!(find("testpmd", Some(folder.path())).unwrap().image, "dpdk");
    write("wrong.toml", "image");
    assert!(super::all(Some(folder.path())).is_err());
    assert!(find("mine", Some(folder.path())).is_ok());
    let error = find("nosuch", Some(folder.path())).unwrap_err().to_string();
    assert!(
        error.contains("'nosuch'") && error.contains("mine"),
        "{error}"
    );
    assert!(find("mine", Some(Path::new("/nosuch"))).is_err());
}
