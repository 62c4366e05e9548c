//! What cannot be is refused, with a reason, and leaves nothing.

use crate::network::Place;

#[test]
fn a_wrong_file_is_refused_with_line_and_hint_and_nothing_is_done() {
    let place = Place::new();
    let file = place.file("hosts:\n  h1: {adress: 10.0.0.1/24}\n");
    for words in [
        vec!["check", &file],
        vec!["up", &file],
        vec!["test", &file],
        vec!["graph", &file],
    ] {
        let finished = place.lab(&words);
        assert_eq!(finished.status.code(), Some(2), "{}", finished.output);
        let expected = format!("{file}:2:8: 'adress' is not known here (did you mean 'address'?)");
        assert!(finished.output.contains(&expected), "{}", finished.output);
    }
    assert_eq!(place.left(), Vec::<String>::new());
}

#[test]
fn what_fails_while_it_comes_up_is_named_and_undone() {
    let place = Place::new();
    let two = "hosts:\n  h1: {address: 10.0.0.1/24, EXTRA}\n  h2: 10.0.0.2/24\nlinks: [LINK]\n";
    let cases = [
        (
            "run: ['echo some words; exit 3']",
            "[h1, h2]",
            "on h1 ended with exit status 3; it wrote:\n  some words",
        ),
        (
            "start: [no-such-program-here]",
            "[h1, h2]",
            "'no-such-program-here' on h1 ended with exit status 127",
        ),
        (
            "routes: [{to: 10.1.0.0/16, via: 10.0.0.2}, {to: 10.1.0.0/16, via: 10.0.0.2}]",
            "[h1, h2]",
            "add the route 10.1.0.0/16 via 10.0.0.2 of h1",
        ),
        (
            "run: []",
            "{link: [h1, h2], delay: 5ms, queue: 1000000}",
            "the panel that carries links with delay, loss or rate ended with exit status",
        ),
    ];
    for (extra, link, part) in cases {
        let file = place.file(&two.replace("EXTRA", extra).replace("LINK", link));
        let text = place.up(&file, &[]).failure();
        assert!(text.contains(part), "{text} lacks {part}");
        assert_eq!(place.left(), Vec::<String>::new(), "{part}");
        place.wait_gone(&place.name);
    }
    let file = place
        .file("nodes: {d1: 'echo {eal}; exit 2'}\nhosts: {h1: 10.0.0.1/24}\nlinks: [[h1, d1]]\n");
    let text = place.up(&file, &[]).failure();
    assert!(text.contains("ended with exit status 2"), "{text}");
    assert!(text.contains("--vdev=net_af_packet0,iface=eth0"), "{text}");
    assert_eq!(place.left(), Vec::<String>::new());
}

#[test]
fn words_that_make_no_sense_are_refused_with_the_usage() {
    let place = Place::new();
    for (words, part) in [
        (vec!["pu"], "did you mean 'lab up'?"),
        (vec!["up"], "Which file?"),
        (vec!["up", "a", "b"], "'b' has no meaning here"),
        (vec!["up", "--plian", "a"], "'--plian' is no option here"),
        (vec!["ping", "h1"], "From which node to which?"),
        (vec!["ping", "h1", "h2", "-c", "0"], "from 1 to 1000"),
        (vec!["exec"], "no network is up"),
        (vec!["down", "nothing"], "there is no network 'nothing'"),
        (vec!["down"], "no network is up"),
        (
            vec!["up", "/nowhere/net.yaml"],
            "cannot read /nowhere/net.yaml",
        ),
    ] {
        let text = place.lab(&words).failure();
        assert!(text.contains(part), "{words:?}: {text} lacks {part}");
    }
    assert_eq!(place.left(), Vec::<String>::new());
}

#[test]
fn a_name_that_is_up_is_not_brought_up_again() {
    let place = Place::new();
    let file = place.file("hosts: {h1: 10.0.0.1/24, h2: 10.0.0.2/24}\nlinks: [[h1, h2]]\n");
    place.up(&file, &[]).success();
    let text = place.up(&file, &[]).failure();
    assert!(text.contains("is up already"), "{text}");
    place.lab(&["pingall"]).success();
}
