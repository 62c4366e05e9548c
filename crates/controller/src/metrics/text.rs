//! The two forms in which metrics are read.

/// Media type of OpenMetrics.
const OPEN_METRICS: &str = "application/openmetrics-text";

/// A form of the exposition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// The older text format of Prometheus.
    Prometheus,
}

impl Form {
    /// The form for a client that accepts `accept`: OpenMetrics only if it is named.
    pub fn for_client(accept: &str) -> Self {
        let named = accept.split(',').any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default();
            let refused = |part: &str| {
                let value = part.strip_prefix("q=").and_then(|q| q.parse::<f32>().ok());
                value == Some(0.0)
            };
            kind.eq_ignore_ascii_case(OPEN_METRICS) && !parts.any(refused)
        });
        if named {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    /// Value of `Content-Type`.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// Turns OpenMetrics into the older format, in which a metric's description bears the name of its
/// samples, and units and infos are unknown.
pub(crate) fn older(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // The description comes as HELP, then TYPE; the name to be used is known with the second.
    let mut help: Option<(&str, &str)> = None;
    for line in text.lines() {
        if line.starts_with("# UNIT ") || line == "# EOF" {
            continue;
        }
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
            continue;
        }
        let Some((name, kind)) = line
            .strip_prefix("# TYPE ")
            .and_then(|rest| rest.split_once(' '))
        else {
            out.push_str(line);
            out.push('\n');
            continue;
        };
        let (end, kind) = match kind {
            "counter" => ("_total", "counter"),
            "info" => ("_info", "gauge"),
            other => ("", other),
        };
        if let Some((_, words)) = help.take() {
            out.push_str(&format!("# HELP {name}{end} {words}\n"));
        }
        out.push_str(&format!("# TYPE {name}{end} {kind}\n"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_metrics_is_for_those_who_name_it() {
        for (accept, form) in [
            ("", Form::Prometheus),
            ("*/*", Form::Prometheus),
            ("text/plain;version=0.0.4;q=0.5,*/*;q=0.1", Form::Prometheus),
            (
                "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5",
                Form::OpenMetrics,
            ),
            (
                "text/plain, Application/OpenMetrics-Text; q=0.9",
                Form::OpenMetrics,
            ),
            ("application/openmetrics-text;q=0", Form::Prometheus),
        ] {
            assert_eq!(Form::for_client(accept), form, "{accept}");
        }
    }

    #[test]
    fn descriptions_bear_the_names_of_the_samples() {
        let text = "# HELP a_seconds time.\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\n\
                    a_seconds_total{x=\"# TYPE\"} 1\n# HELP b who.\n# TYPE b info\nb_info 1\n\
                    # HELP c now.\n# TYPE c gauge\nc 2\n# EOF\n";
        let expected = "# HELP a_seconds_total time.\n# TYPE a_seconds_total counter\n\
                        a_seconds_total{x=\"# TYPE\"} 1\n# HELP b_info who.\n# TYPE b_info gauge\n\
                        b_info 1\n# HELP c now.\n# TYPE c gauge\nc 2\n";
        assert_eq!(older(text), expected);
    }
}
