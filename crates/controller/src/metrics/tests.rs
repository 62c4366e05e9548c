use super::list::{ALL, Kind};

/// `docs/metrics.md` has a table of all metrics between two marks.
const MARKS: [&str; 2] = ["<!-- list -->\n", "<!-- end of list -->\n"];

fn doc(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(name)
}

/// Names of samples that belong to the metrics.
fn samples() -> Vec<String> {
    ALL.iter()
        .flat_map(|metric| {
            let ends: &[&str] = match metric.kind {
                Kind::Counter => &["_total"],
                Kind::Gauge => &[""],
                Kind::Info => &["_info"],
                Kind::Histogram => &["_bucket", "_sum", "_count"],
            };
            ends.iter().map(|end| format!("{}{end}", metric.name))
        })
        .collect()
}

fn table() -> String {
    let mut table = "| metric | kind | labels | meaning |\n|---|---|---|---|\n".to_owned();
    for metric in ALL {
        let end = match metric.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        };
        let kind = format!("{:?}", metric.kind).to_lowercase();
        let labels: Vec<_> = metric
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        let (name, labels, help) = (metric.name, labels.join(", "), metric.help);
        table += &format!("| `{name}{end}` | {kind} | {labels} | {help} |\n");
    }
    table
}

/// With `SPP_WRITE_DOCS` set it writes the table instead.
#[test]
fn the_documented_metrics_are_those_that_there_are() {
    let path = doc("metrics.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(MARKS[0]).unwrap();
    let (list, after) = rest.split_once(MARKS[1]).unwrap();
    if std::env::var_os("SPP_WRITE_DOCS").is_some() {
        let new = [before, MARKS[0], &table(), MARKS[1], after].concat();
        std::fs::write(&path, new).unwrap();
        return;
    }
    assert_eq!(
        list,
        table(),
        "SPP_WRITE_DOCS=1 cargo test -p controller documented writes it"
    );
}

#[test]
fn dashboard_and_alerts_name_only_metrics_that_there_are() {
    let known = samples();
    for (file, fewest) in [("grafana/spp.json", 20), ("prometheus/spp.rules.yml", 10)] {
        let text = std::fs::read_to_string(doc(file)).unwrap();
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let named: std::collections::BTreeSet<_> =
            words.filter(|word| word.starts_with("spp_")).collect();
        for name in &named {
            assert!(
                known.iter().any(|known| known == name),
                "{file} names {name}"
            );
        }
        assert!(named.len() >= fewest, "{file} names only {}", named.len());
    }
}

#[test]
fn names_follow_the_conventions() {
    for metric in ALL {
        let name = metric.name;
        assert!(name.starts_with("spp_"), "{name}");
        assert!(
            !name.ends_with("_total") && !name.ends_with("_info"),
            "{name}"
        );
        assert!(
            !metric.help.ends_with('.') && !metric.help.contains('|'),
            "{name}"
        );
        let same = ALL.iter().filter(|other| other.name == name).count();
        assert_eq!(same, 1, "{name}");
    }
}

#[test]
fn series_of_requests_have_a_bound() {
    let figures = super::Figures::default();
    for number in 0..1000 {
        let method = format!("M{number}");
        figures.answered(&method, "other", 404, std::time::Duration::ZERO);
    }
    let labels = vec![
        ("method", "other".to_owned()),
        ("route", "other".to_owned()),
        ("status", "404".to_owned()),
    ];
    assert_eq!(figures.requests.get(&labels).unwrap().get(), 1000);
}

#[tokio::test]
async fn scrapes_at_the_same_time_share_one_round() {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Arc;
    let shared = crate::rest::Shared {
        table: Arc::default(),
        state: Arc::new(crate::state::State::open(None).unwrap()),
        limits: crate::Limits::default(),
        cpu_dir: std::path::Path::new("/nowhere").into(),
        figures: Arc::default(),
        rounds: Arc::default(),
        guard: Arc::new(crate::rest::Guard::new(
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            None,
        )),
    };
    let rounds = shared.rounds.clone();
    let (first, second) = tokio::join!(rounds.next(&shared), rounds.next(&shared));
    assert!(Arc::ptr_eq(&first, &second));
    let third = rounds.next(&shared).await;
    assert!(
        !Arc::ptr_eq(&first, &third),
        "an old round is not used again"
    );
}
