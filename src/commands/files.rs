//! `ls`, `mkdir`, `cat`, `less`: small helpers, without a system shell underneath.

use std::fs::{self, DirEntry, File};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::commands::args::Args;
use crate::commands::help::columns;
use crate::commands::{quote, quoted};
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;

/// The original's words, and the reason.
pub fn no_folder(name: &str, error: &io::Error) -> Failure {
    Failure::refused(format!(
        "No such a directory.\n('{}': {error})",
        quote(name)
    ))
}

/// `ls [FOLDER]`
pub fn ls(context: &mut Context, args: &Args) -> Outcome {
    let folder = args.word("FOLDER").unwrap_or(".");
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| no_folder(folder, &error))? {
        let entry = entry.map_err(|error| no_folder(folder, &error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            names.push(format!("{name}{}", mark(&entry)));
        }
    }
    names.sort();
    let text = match context.full_screen {
        true => columns(&names, 80),
        false => names.iter().map(|name| format!("{name}\n")).collect(),
    };
    Ok(Report::new(text, json!(names)))
}

/// The mark of `ls -F`; none if it cannot be found out.
fn mark(entry: &DirEntry) -> &'static str {
    let Ok(kind) = entry.file_type() else {
        return "";
    };
    let runs = || {
        entry
            .metadata()
            .is_ok_and(|data| data.permissions().mode() & 0o111 != 0)
    };
    match () {
        () if kind.is_dir() => "/",
        () if kind.is_symlink() => "@",
        () if kind.is_fifo() => "|",
        () if kind.is_socket() => "=",
        () if kind.is_file() && runs() => "*",
        () => "",
    }
}

/// `mkdir FOLDER…`
pub fn mkdir(_context: &mut Context, args: &Args) -> Outcome {
    for folder in args.words("FOLDER") {
        fs::create_dir_all(folder).map_err(|error| {
            Failure::refused(format!(
                "Cannot make the folder '{}': {error}",
                quote(folder)
            ))
        })?;
    }
    Ok(Report::done(""))
}

/// `cat FILE`
pub fn cat(context: &mut Context, args: &Args) -> Outcome {
    show(context, args.required("FILE")?)
}

/// `less FILE`
pub fn less(context: &mut Context, args: &Args) -> Outcome {
    let name = args.required("FILE")?;
    if !context.full_screen {
        return show(context, name);
    }
    let wanted = std::env::var("PAGER").unwrap_or_default();
    let words = match wanted.trim() {
        "" => vec!["less".to_owned()],
        wanted => quoted(wanted)?,
    };
    open(name)?;
    // An absolute path is never taken for an option.
    let path = std::path::absolute(name).unwrap_or_else(|_| Path::new(name).to_owned());
    context.out.flush()?;
    let Some((program, options)) = words.split_first() else {
        return show(context, name);
    };
    match Command::new(program).args(options).arg(path).status() {
        Ok(_) => Ok(Report::written()),
        // No pager is here.
        Err(error) if error.kind() == io::ErrorKind::NotFound => show(context, name),
        Err(error) => Err(Failure::refused(format!(
            "The pager '{}' cannot be run: {error}",
            quote(program)
        ))),
    }
}

fn open(name: &str) -> Result<File, Failure> {
    let file = File::open(name).map_err(|error| no_folder(name, &error))?;
    match file.metadata() {
        Ok(data) if data.is_file() => Ok(file),
        // A pipe might never end.
        Ok(_) => Err(Failure::refused(format!(
            "No such a directory.\n('{}' is no plain file)",
            quote(name)
        ))),
        Err(error) => Err(no_folder(name, &error)),
    }
}

fn show(context: &mut Context, name: &str) -> Outcome {
    let mut file = open(name)?;
    if context.json {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)
            .map_err(|error| no_folder(name, &error))?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        return Ok(Report::new("", json!({"file": name, "text": text})));
    }
    let mut piece = vec![0; 1 << 16];
    loop {
        let count = file
            .read(&mut piece)
            .map_err(|error| no_folder(name, &error))?;
        if count == 0 || context.interrupted() {
            break;
        }
        context.out.write_all(&piece[..count])?;
    }
    context.out.flush()?;
    Ok(Report::written())
}
