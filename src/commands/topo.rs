//! `topo`: the topology as a drawing, as a file, or as a page.

use std::time::Duration;

use image::ImageFormat;
use protocol::reply::ProcessKind;
use serde_json::{Map, Value, json};

use crate::commands::args::Args;
use crate::commands::nfv;
use crate::commands::quote;
use crate::commands::spec::Target;
use crate::commands::status::{details, in_order};
use crate::commands::table::SECONDARIES;
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;
use crate::rates;
use crate::render::{boxes, dot, mermaid, raster, svg};
use crate::terminal;
use crate::topology::{self, ProcessBox};

/// Time over which rates are measured for a drawing in the terminal.
const LOOK: Duration = Duration::from_millis(500);
/// Pixels of a picture of 100 % for a unit of SVG: letters are as high as in the original's.
const SCALE: f64 = 2.0;

/// What is known of a panel.
struct Look {
    boxes: Vec<ProcessBox>,
    /// What could not be read, in the original's words.
    wrong: Vec<String>,
    /// The documents themselves.
    json: Value,
}

/// `topo term`, `topo http`, `topo FILE.EXT`, `topo FILE FTYPE`
pub fn run(context: &mut Context, args: &Args) -> Outcome {
    let destination = args.word("DST").unwrap_or_default();
    let rates = args.seconds("S").map(Duration::from_secs_f64);
    match args.word("FTYPE") {
        None if destination == "term" => {
            let size = match args.number("PERCENT") {
                Some(percent) => percent as f64 / 100.0,
                None => ratio(context.session.config.get("topo_size")),
            };
            in_terminal(context, rates.unwrap_or(LOOK), size)
        }
        None if destination == "http" => page(context),
        None => {
            let kind = destination.rsplit('.').next().unwrap_or_default();
            file(context, destination, kind, rates)
        }
        Some(kind) => file(context, destination, kind, rates),
    }
}

/// A size in the form of the configuration: `60%` or `0.6`.
fn ratio(text: &str) -> f64 {
    let number = match text.strip_suffix('%') {
        Some(percent) => percent.parse().map(|percent: f64| percent / 100.0),
        None => text.parse(),
    };
    // The configuration takes nothing else.
    number.unwrap_or(1.0)
}

fn in_terminal(context: &mut Context, time: Duration, size: f64) -> Outcome {
    let mut look = look(context, Some(time))?;
    let pixels = (context.full_screen && !context.json)
        .then(terminal::picture_width)
        .flatten();
    let text = match pixels {
        Some(pixels) => {
            let picture = svg::picture(&look.boxes, &context.subgraphs);
            let mut scale = SCALE * size;
            let width = raster::width(&picture).map_err(Failure::refused)? * scale;
            // What is wider than the terminal would be cut off.
            if pixels > 0 && width > f64::from(pixels) {
                scale *= f64::from(pixels) / width;
            }
            raster::draw(&picture, scale)
                .and_then(raster::sixel)
                .map_err(Failure::refused)?
        }
        None => boxes::draw(&look.boxes, context.style.unicode),
    };
    match look.json.as_object_mut() {
        Some(members) => drop(members.insert("drawing".to_owned(), json!(text))),
        None => look.json = json!({"drawing": text}),
    }
    Ok(Report::new(text, look.json))
}

/// Where the page is that shows this panel.
fn page(context: &Context) -> Outcome {
    let address = context.client.address();
    match context.client.get("/v1/version") {
        Err(failure) if failure.status() == Some(404) => {
            return Err(Failure::refused(format!(
                "The controller at {address} is none of ours and serves no page."
            )));
        }
        other => other?,
    };
    let groups = context.subgraphs.iter().map(|subgraph| {
        let ports: Vec<_> = subgraph
            .ports
            .iter()
            .map(|port| port.replace(' ', ""))
            .collect();
        format!("subgraph={},{}", encoded(&subgraph.label), ports.join(","))
    });
    let groups: Vec<_> = groups.collect();
    let mark = if groups.is_empty() { "" } else { "#" };
    let url = format!(
        "{}/panel/{mark}{}",
        context.client.origin(),
        groups.join("&")
    );
    Ok(Report::new(url.clone(), json!({"url": url})))
}

/// A text for an address: everything but letters and digits in hexadecimal.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

fn file(context: &mut Context, path: &str, kind: &str, rates: Option<Duration>) -> Outcome {
    let failed = |text: String| Failure::refused(format!("Cannot write '{}': {text}", quote(path)));
    let format = match kind {
        "png" => Some(ImageFormat::Png),
        "jpg" | "jpeg" => Some(ImageFormat::Jpeg),
        "bmp" => Some(ImageFormat::Bmp),
        _ => None,
    };
    let mut wrong = Vec::new();
    let bytes = match kind {
        "json" | "js" => protocol::json::spaced(&nfvs(context)?).into_bytes(),
        "yml" | "yaml" => {
            let documents: Vec<_> = nfvs(context)?.into_iter().map(sorted).collect();
            let text = serde_norway::to_string(&documents);
            text.map_err(|error| failed(error.to_string()))?
                .into_bytes()
        }
        "dot" | "mmd" | "svg" | "png" | "jpg" | "jpeg" | "bmp" => {
            let look = look(context, rates)?;
            wrong = look.wrong;
            let subgraphs = &context.subgraphs;
            match (kind, format) {
                ("dot", _) => dot::graph(&look.boxes, subgraphs).into_bytes(),
                ("mmd", _) => mermaid::chart(&look.boxes, subgraphs).into_bytes(),
                (_, None) => svg::picture(&look.boxes, subgraphs).into_bytes(),
                (_, Some(format)) => raster::draw(&svg::picture(&look.boxes, subgraphs), SCALE)
                    .and_then(|picture| raster::file(picture, format))
                    .map_err(failed)?,
            }
        }
        other => {
            return Err(Failure::usage(format!(
                "Invalid file type\n('{}' is none: write FILE.dot, .svg, .png, .jpg, .bmp, .mmd, .json, .js, \
                 .yml or .yaml, or `topo term`, `topo http`)",
                quote(other)
            )));
        }
    };
    std::fs::write(path, bytes).map_err(|error| failed(error.to_string()))?;
    let done = format!("Create topology: '{path}'");
    let json = json!({"result": "succeeded", "message": done, "errors": wrong});
    wrong.push(done);
    Ok(Report::new(wrong.join("\n"), json))
}

/// The status of each nfv process, which is all that the original writes as JSON and YAML.
fn nfvs(context: &Context) -> Result<Vec<Value>, Failure> {
    let processes = in_order(&context.client.processes()?);
    let ids = processes.into_iter().filter(|(kind, _)| kind == "nfv");
    ids.map(|(_, id)| context.client.get(&Target::Nfv(id).path()))
        .collect()
}

/// The same with the members of all objects in alphabetical order.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.into_iter().collect();
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
            let members = members
                .into_iter()
                .map(|(name, value)| (name, sorted(value)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        other => other,
    }
}

/// Reads the panel. Traffic is told only if it is measured, for so long.
fn look(context: &Context, measure: Option<Duration>) -> Result<Look, Failure> {
    let before = details(context)?;
    let mut wrong = Vec::new();
    let mut json = Value::Null;
    let mut shown = Vec::new();
    if before.is_empty() {
        // A controller that knows no details.
        for (kind, id) in in_order(&context.client.processes()?) {
            shown.push(of_status(context, &kind, id, &mut wrong));
        }
    } else {
        let mut after = before.clone();
        if let Some(time) = measure {
            if !context.pause(time) {
                return Err(Failure::refused("Interrupted."));
            }
            after = details(context)?;
        }
        let rates = rates::between(&before, &after);
        shown = topology::from_details(&after, &rates);
        for process in after.iter().filter(|process| process.detail.is_none()) {
            let name = format!("{}:{}", process.kind, process.client_id);
            if let Some(at) = shown.iter().position(|shown| shown.name == name) {
                if process.status == "ok" {
                    shown[at] = of_status(context, &process.kind, process.client_id, &mut wrong);
                } else {
                    wrong.push(failed_line(&name, &shown[at].note));
                }
            }
        }
        json = json!({"details": after, "rates": rates});
    }
    if measure.is_none() {
        let cables = shown.iter_mut().flat_map(|shown| &mut shown.cables);
        cables.for_each(|cable| cable.label.clear());
    }
    if shown.is_empty() {
        return Err(Failure::refused("No secondary process exist!"));
    }
    // As the original lists them.
    shown.sort_by_key(|shown| {
        let kind = shown.name.split(':').next().unwrap_or_default();
        SECONDARIES.iter().position(|known| *known == kind)
    });
    Ok(Look {
        boxes: shown,
        wrong,
        json,
    })
}

fn failed_line(name: &str, reason: &str) -> String {
    format!("Error: Failed to parse links in {name}. ({reason})")
}

/// A process without details of ours, by its status. One that cannot be read is shown with the
/// reason.
fn of_status(context: &Context, kind: &str, id: u32, wrong: &mut Vec<String>) -> ProcessBox {
    let name = format!("{kind}:{id}");
    let components = |kind: ProcessKind, path: &str| {
        let status = context.client.get(&format!("/v1/{path}/{id}"))?;
        Ok(topology::from_components(kind, id, &status))
    };
    let read = match kind {
        "vf" => components(ProcessKind::Vf, "vfs"),
        "mirror" => components(ProcessKind::Mirror, "mirrors"),
        "pcap" => components(ProcessKind::Pcap, "pcaps"),
        _ => nfv::read(context, Target::Nfv(id)).map(|status| {
            let (ports, patches) = (&status.ports, &status.patches);
            let shown = topology::from_status(&name, &status.status, ports, patches);
            (shown, Vec::new())
        }),
    };
    match read {
        Ok((shown, lines)) => {
            wrong.extend(lines);
            shown
        }
        Err(failure) => {
            let note = failure.to_string();
            wrong.push(failed_line(&name, &note));
            ProcessBox {
                title: name.clone(),
                name,
                note,
                ..ProcessBox::default()
            }
        }
    }
}
