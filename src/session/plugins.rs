//! Plugins: programs that become commands.

use std::env;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::context::Context;
use crate::failure::Failure;

/// A program that was found for a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plugin {
    /// Name of the command.
    pub name: String,
    path: PathBuf,
}

/// Where plugins lie, and those that were loaded.
#[derive(Debug, Clone, Default)]
pub struct Plugins {
    folders: Vec<PathBuf>,
    loaded: Vec<Plugin>,
}

impl Plugins {
    /// The folders that the environment names, the user's, and the one beside this program.
    pub fn from_environment() -> Self {
        let named = env::var_os("SPP_PLUGINS").unwrap_or_default();
        let mut folders: Vec<PathBuf> = env::split_paths(&named)
            .filter(|folder| !folder.as_os_str().is_empty())
            .collect();
        let filled = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        let home = || Some(PathBuf::from(filled("HOME")?).join(".config"));
        if let Some(config) = filled("XDG_CONFIG_HOME").map(PathBuf::from).or_else(home) {
            folders.push(config.join("spp/plugins"));
        }
        if let Some(prefix) = env::current_exe()
            .ok()
            .as_deref()
            .and_then(Path::parent)
            .and_then(Path::parent)
        {
            folders.push(prefix.join("share/spp/plugins"));
        }
        Self::in_folders(folders)
    }

    /// Looks in these folders, in their order.
    pub fn in_folders(folders: Vec<PathBuf>) -> Self {
        Self {
            folders,
            loaded: Vec::new(),
        }
    }

    /// Folders that are looked into.
    pub fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// Names that could be loaded, sorted.
    pub fn available(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .folders
            .iter()
            .filter_map(|folder| std::fs::read_dir(folder).ok())
            .flat_map(|entries| entries.flatten())
            .filter(|entry| is_program(&entry.path()))
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| is_name(name))
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// Makes the program `name` a command. `taken`: such a command is there already.
    ///
    /// # Errors
    /// In words, if it is no name, or nothing is there that can be run.
    pub fn load(&mut self, name: &str, taken: bool) -> Result<(), Failure> {
        let shown = crate::commands::quote(name);
        if !is_name(name) {
            return Err(Failure::usage(format!(
                "'{shown}' is no name of a plugin: letters, digits, - and _, at most 64"
            )));
        }
        if taken {
            return Err(Failure::usage(format!(
                "'{shown}' is a command of the shell: no plugin can take its place"
            )));
        }
        let found = self
            .folders
            .iter()
            .map(|folder| folder.join(name))
            .find(|path| is_program(path));
        let Some(path) = found else {
            let folders: Vec<_> = self
                .folders
                .iter()
                .map(|folder| folder.display().to_string())
                .collect();
            return Err(Failure::refused(format!(
                "There is no plugin '{shown}': no program of this name in {}",
                folders.join(", ")
            )));
        };
        self.loaded.retain(|plugin| plugin.name != name);
        self.loaded.push(Plugin {
            name: name.to_owned(),
            path,
        });
        Ok(())
    }

    /// A plugin that was loaded.
    pub fn get(&self, name: &str) -> Option<&Plugin> {
        self.loaded.iter().find(|plugin| plugin.name == name)
    }

    /// Names of those that were loaded.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.loaded.iter().map(|plugin| plugin.name.as_str())
    }
}

impl Plugin {
    /// Runs it; what it prints is the result. It finds the controller's address in `SPP_CTL`.
    pub fn run(&self, context: &mut Context, arguments: &[String]) -> Result<(), Failure> {
        context.out.flush()?;
        let failed = |text: String| Failure::refused(format!("'{}' {text}", self.name));
        let input = match context.full_screen {
            true => Stdio::inherit(),
            // The lines that follow are not for it.
            false => Stdio::null(),
        };
        let mut child = Command::new(&self.path)
            .args(arguments)
            .env("SPP_CTL", context.client.address().to_string())
            .stdin(input)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| failed(format!("cannot be run: {error}")))?;
        let mut written = Ok(());
        if let Some(mut output) = child.stdout.take() {
            let mut piece = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut piece) {
                written = context
                    .out
                    .write_all(&piece[..count])
                    .and_then(|()| context.out.flush());
                if written.is_err() {
                    break;
                }
            }
        }
        // Its output is closed by now, so it ends or is stuck in something else; the user's Ctrl-C
        // reaches it as well as us.
        let status = child
            .wait()
            .map_err(|error| failed(format!("cannot be waited for: {error}")))?;
        written?;
        match status.success() {
            true => Ok(()),
            false => Err(failed(format!("ended with {status}"))),
        }
    }
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        && !name.starts_with('-')
}

fn is_program(path: &Path) -> bool {
    std::fs::metadata(path)
        .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}
