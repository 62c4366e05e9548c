//! The first process of a container of ours. It is a program of this machine, so it brings its loader and its libraries along: the image
//! may have others, or none.

use std::path::{Path, PathBuf};

use container::plan::Plan;

use super::read_only;
use crate::error::{Error, Result};
use crate::outside;

/// Where it lies in a container.
const FOLDER: &str = "/.spp-lab";

/// Where the container's end of its leash is.
pub(super) const LEASH: &str = "/.spp-lab/leash";

/// The program.
const PROGRAM: &str = "spp-entry";

/// What a container gets of this machine.
pub(super) struct Entry {
    program: PathBuf,
    libraries: Vec<PathBuf>,
}

impl Entry {
    /// Finds the program, and what it needs.
    ///
    /// # Errors
    /// It is not there, or a library of it.
    pub fn find() -> Result<Self> {
        let program = outside::of_spp(PROGRAM)?;
        let program = program
            .canonicalize()
            .map_err(|e| Error::io(format!("find {}", program.display()), e))?;
        let libraries = container::host::libraries(std::slice::from_ref(&program))?;
        Ok(Self {
            program,
            libraries: libraries.into_iter().collect(),
        })
    }

    /// Has it start the program of a container, on a leash.
    pub fn put_before(&self, plan: &mut Plan, leash: &Path) {
        plan.mounts.push(read_only(leash, LEASH));
        plan.mounts.push(read_only(&self.program, &inside(PROGRAM)));
        let mut words = Vec::new();
        for library in &self.libraries {
            let name = library.file_name().unwrap_or_default().to_string_lossy();
            plan.mounts.push(read_only(library, &inside(&name)));
            // The loader, which is called by its name: without one the program needs none.
            if name.starts_with("ld-") || name.starts_with("ld.") {
                words = [&inside(&name), "--library-path", FOLDER]
                    .map(str::to_owned)
                    .into();
            }
        }
        words.extend([&inside(PROGRAM), "--leash", LEASH].map(str::to_owned));
        plan.entrypoint = words;
    }
}

fn inside(name: &str) -> String {
    format!("{FOLDER}/{name}")
}
