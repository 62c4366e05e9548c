//! The image that another one begins with: given, the distribution's, or made by debootstrap.

use std::path::Path;

use super::Dist;
use crate::{Error, Result};

/// The word for [`Base::Bootstrap`].
const BOOTSTRAP: &str = "debootstrap";

/// What an image begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// An image that is there, or that the engine fetches.
    Image(String),
    /// Made here, unless it was before.
    Bootstrap {
        /// Its name.
        image: String,
        /// What debootstrap calls the release.
        suite: &'static str,
    },
}

impl Base {
    /// What `--base` says; without it the distribution's image if the engine has it, else debootstrap.
    pub(super) fn choose(
        given: Option<&str>,
        dist: &Dist,
        has_image: impl Fn(&str) -> bool,
    ) -> Result<Self> {
        match given {
            Some(BOOTSTRAP) => Self::bootstrap(dist),
            Some("") => Err(Error::usage("--base is empty")),
            Some(image) => Ok(Self::Image(image.to_owned())),
            None if has_image(&dist.image()) => Ok(Self::Image(dist.image())),
            None => Self::bootstrap(dist),
        }
    }

    fn bootstrap(dist: &Dist) -> Result<Self> {
        let suite = match (dist.name.as_str(), dist.version.as_str()) {
            ("debian", "12") => "bookworm",
            ("debian", "13" | "latest") => "trixie",
            ("debian", "14") => "forky",
            ("ubuntu", "20.04") => "focal",
            ("ubuntu", "22.04") => "jammy",
            ("ubuntu", "24.04" | "latest") => "noble",
            _ => {
                return Err(Error::usage(format!(
                    "{} {} is not known to be made by debootstrap (debian 12 to 14, ubuntu 20.04 to 24.04 are): name an image with --base",
                    dist.name, dist.version
                )));
            }
        };
        Ok(Self::Bootstrap {
            image: format!("sppc/base-{}:{}", dist.name, dist.version),
            suite,
        })
    }

    /// Its name.
    pub fn image(&self) -> &str {
        match self {
            Self::Image(image) | Self::Bootstrap { image, .. } => image,
        }
    }

    /// What makes it, as arguments of `sh`: into `folder`, and from there into the engine. Nothing for an image that is given.
    pub fn script(&self, folder: &Path) -> Option<String> {
        let Self::Bootstrap { image, suite } = self else {
            return None;
        };
        // An older debootstrap does not know a new release by name; all of Debian's newer ones share a script.
        let script = match Path::new("/usr/share/debootstrap/scripts")
            .join(suite)
            .exists()
        {
            true => "",
            false => " '' /usr/share/debootstrap/scripts/sid",
        };
        let folder = folder.display();
        Some(format!(
            "rm -rf --one-file-system '{folder}' && debootstrap --variant=minbase {suite} '{folder}'{script} && {} && \
             rm -rf --one-file-system '{folder}'",
            import_line(&folder.to_string(), image)
        ))
    }
}

/// The line that makes an image of a folder.
pub fn import_line(folder: &str, image: &str) -> String {
    format!("tar -C '{folder}' -c . | docker import - {image}")
}
