//! The shell in a terminal.

use std::os::unix::fs::PermissionsExt;

use rexpect::reader::Options;
use rexpect::session::{PtySession, spawn_with_options};

use crate::panel::{LIMIT, Panel};

/// The shell of `panel` in a terminal of its own, at its first prompt.
fn shell(panel: &Panel, words: &[&str]) -> PtySession {
    let mut command = panel.command();
    command.args(words).env("TERM", "xterm");
    let options = Options::new().timeout_ms(u64::try_from(LIMIT.as_millis()).ok());
    spawn_with_options(command, options).expect("a terminal")
}

/// Keys without a line's end.
fn types(shell: &mut PtySession, keys: &str) {
    shell.send(keys).expect("sent");
    shell.flush().expect("sent");
}

fn ends(mut shell: PtySession) -> String {
    let rest = shell.exp_eof().expect("it ends");
    let status = shell.process().wait().expect("its status");
    assert!(format!("{status:?}").contains(", 0)"), "{status:?}");
    rest
}

#[test]
fn lines_are_edited_completed_and_remembered() {
    let panel = Panel::start("terminal");
    let mut shell = shell(&panel, &["--wait-pri"]);
    let welcome = shell.exp_string("spp > ").expect("a prompt");
    let expected = "Waiting for spp_primary is ready ... OK! (0.0[sec])\r\n\
                    Welcome to the SPP CLI. Type `help` or `?` to list commands.\r\n\r\n";
    assert!(welcome.starts_with(expected), "{welcome:?}");
    // Interrupted at the prompt: the line is gone, the shell is not.
    types(&mut shell, "stat");
    shell.exp_string("stat").expect("an echo");
    shell.send_control('c').expect("sent");
    shell.exp_string("spp > ").expect("a prompt");
    // Words of the table, ids and ports of the running system.
    types(&mut shell, "mir\t3\tsta\t");
    shell.exp_string("mirror 3;").expect("completed");
    shell.exp_string("status").expect("completed");
    shell.send_line("").expect("sent");
    shell
        .exp_string("- tx: [ring:3, ring:4]")
        .expect("the status");
    shell.exp_string("spp > ").expect("a prompt");
    types(&mut shell, "nfv 1; del vh\t");
    shell.exp_string("vhost:1").expect("completed");
    shell.send_line("").expect("sent");
    shell.exp_string("Delete vhost:1.").expect("done");
    shell.exp_string("spp > ").expect("a prompt");
    // Several: the second key lists them.
    types(&mut shell, "server \t\t");
    shell
        .exp_regex("list +add +del|1\\s+list\\s+add\\s+del")
        .expect("a list");
    shell.send_line("list").expect("sent");
    shell
        .exp_string(&format!("  1: {} *", panel.rest))
        .expect("the list");
    shell.exp_string("spp > ").expect("a prompt");
    shell.send_line("config prompt \"x> \"").expect("sent");
    shell.exp_string("Set prompt: \"x> \"").expect("done");
    shell.exp_string("x> ").expect("the new prompt");
    shell.send_line("foo").expect("sent");
    shell.exp_string("*** Unknown syntax: foo").expect("told");
    shell.exp_string("x> ").expect("a prompt");
    shell.send_line("pwd").expect("sent");
    shell.exp_string("x> ").expect("a prompt");
    shell.send_line("pwd").expect("sent");
    shell.exp_string("x> ").expect("a prompt");
    shell.send_line("redo 5").expect("sent");
    shell
        .exp_string("*** Unknown syntax: foo")
        .expect("run again");
    shell.exp_string("x> ").expect("a prompt");
    shell.send_line("history").expect("sent");
    shell
        .exp_string(
            "  1  mirror 3; status \r\n  2  nfv 1; del vhost:1 \r\n  3  server list\r\n  \
             4  config prompt \"x> \"\r\n  5  foo\r\n  6  pwd\r\n  7  pwd\r\n",
        )
        .expect("the lines without the one that asks");
    shell.exp_string("x> ").expect("a prompt");
    shell.send_control('d').expect("sent");
    let rest = ends(shell);
    assert!(
        rest.contains("Thank you for using Soft Patch Panel"),
        "{rest}"
    );
    let file = panel.home.join(".spp_history");
    let mode = std::fs::metadata(&file)
        .expect("the history")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn commands_are_interrupted_and_pagers_called() {
    let panel = Panel::start("interrupt");
    let mut shell = shell(&panel, &[]);
    shell.exp_string("spp > ").expect("a prompt");
    shell.send_line("wait vf 99 --timeout 3600").expect("sent");
    shell.exp_string("--timeout 3600").expect("an echo");
    // Sent again until it is over: the first may come before the wait begins.
    testbed::wait_for("the wait to end", LIMIT, || {
        shell.send_control('c').ok()?;
        std::thread::sleep(std::time::Duration::from_millis(20));
        let mut seen = String::new();
        while let Some(c) = shell.try_read() {
            seen.push(c);
        }
        seen.contains("Interrupted before vf 99").then_some(())
    });
    shell.send_line("").expect("sent");
    shell.exp_string("spp > ").expect("a prompt");
    shell.send_line("bye").expect("sent");
    let rest = ends(shell);
    assert!(rest.contains("Thank you"), "{rest}");

    let file = panel.home.join("text");
    std::fs::write(&file, "shown\n").expect("a file");
    let mut command = panel.command();
    command.env("PAGER", "cat -n").env("TERM", "xterm");
    let options = Options::new().timeout_ms(u64::try_from(LIMIT.as_millis()).ok());
    let mut shell = spawn_with_options(command, options).expect("a terminal");
    shell.exp_string("spp > ").expect("a prompt");
    shell
        .send_line(&format!("less {}", file.display()))
        .expect("sent");
    shell
        .exp_regex("1\\s+shown")
        .expect("what the pager prints");
    shell.send_line("exit").expect("sent");
    ends(shell);
}
