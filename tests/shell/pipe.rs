//! Input that nobody types.

use crate::panel::Panel;

#[test]
fn any_input_ends_with_a_sensible_status() {
    let panel = Panel::start("pipe");
    let long = vec![b'x'; 2 << 20];
    let lines = [b"pwd\n".as_slice(), &long, b"\npwd\n"].concat();
    let mut binary: Vec<u8> = (0..=255u8).cycle().take(100_000).collect();
    binary.extend(b"\npwd\n");
    let quotes = b"cat \"\ncat '\nls \\\nhello \"\npwd".to_vec();
    let here = format!("{}\n", env!("CARGO_MANIFEST_DIR"));
    for (input, pwds, status) in [
        (Vec::new(), 0, 0),
        (b"\n\n \n".to_vec(), 0, 0),
        (b"pwd".to_vec(), 1, 0),
        (b"pwd\r\n".to_vec(), 1, 0),
        (lines, 2, 2),
        (long, 0, 2),
        (binary, 1, 2),
        (vec![0; 1 << 20], 0, 2),
        (quotes, 1, 2),
        (b"EOF\npwd\n".to_vec(), 1, 2),
    ] {
        let (out, code) = panel.spp(&[], &input);
        assert_eq!(out.matches(&here).count(), pwds, "{out}");
        assert_eq!(code, Some(status), "{} bytes", input.len());
    }
    // Nothing of it is in the history.
    assert!(!panel.home.join(".spp_history").exists());
}

#[test]
fn a_session_in_a_pipe_reads_as_recorded() {
    let panel = Panel::start("session");
    let home = panel.home.to_string_lossy().into_owned();
    let input = format!("# c\ncd {home}\nrecord r.rcp\nstatus\n// d\nexit\n");
    let status = format!(
        "- spp-ctl:\n  - address: {}\n- primary:\n  - status: running\n- secondary:\n  - processes:\n    \
         1: nfv:1\n    2: vf:2\n    3: mirror:3\n    4: pcap:4\n",
        panel.rest
    );
    let (out, code) = panel.spp(&[], input.as_bytes());
    let (start, end) = out.split_once(&status).expect("the status");
    assert_eq!(start, format!("# c\n{home}\n"));
    assert!(
        end.ends_with("// d\nClosing file\nThank you for using Soft Patch Panel\n"),
        "{end}"
    );
    assert_eq!(code, Some(0));
    let (out, code) = panel.spp(&["playback", &format!("{home}/r.rcp")], b"");
    assert!(out.starts_with(&format!("# status\n{status}")), "{out}");
    assert!(out.ends_with("// d\n"), "comments are echoed once: {out}");
    assert_eq!(code, Some(0));
}
