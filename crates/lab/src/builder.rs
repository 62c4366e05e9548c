//! The same as a file, in Rust.

use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::build::{self, Options};
use crate::error::{Error, Result};
use crate::file::{
    At, Character, End, File, Host, Link, Place, Problem, Problems, Route, Several, Switch,
};
use crate::plan::Plan;
use crate::running::Running;

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// A network that is put together by a program. What is wrong is said by [`up`](Self::up), all of it.
///
/// `address`, `gateway` and the like are of the host or router named last; `delay`, `rate` and the like of the last link.
///
/// ```no_run
/// let lab = lab::Lab::new()
///     .host("h1").address("10.0.0.1/24")
///     .host("h2").address("10.0.0.2/24")
///     .switch("s1")
///     .link("h1", "s1")
///     .link("s1", "h2").mtu(1400)
///     .up()?;
/// let mut ping = lab.spawn("h1", std::process::Command::new("ping").args(["-c1", "10.0.0.2"]))?;
/// # Ok::<(), lab::Error>(())
/// ```
/// It is taken down when what `up` gave is dropped, and also when the process dies.
#[derive(Clone, Debug)]
pub struct Lab {
    file: File,
    wrong: Vec<Problem>,
    last: Last,
    plain: bool,
}

/// What `address` and the like are of.
#[derive(Clone, Debug)]
enum Last {
    None,
    Host(String),
    Router(String),
}

impl Default for Lab {
    fn default() -> Self {
        Self::new()
    }
}

impl Lab {
    /// An empty network with a name that no other one of this machine has while this process runs.
    #[must_use]
    pub fn new() -> Self {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        Self {
            file: File {
                name: Some(format!("lab-{:x}-{number}", std::process::id()).into()),
                ..File::default()
            },
            wrong: Vec::new(),
            last: Last::None,
            plain: false,
        }
    }

    /// Another name.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.file.name = Some(name.to_owned().into());
        self
    }

    /// A host.
    #[must_use]
    pub fn host(mut self, name: &str) -> Self {
        if self
            .file
            .hosts
            .0
            .insert(name.to_owned().into(), Host::default())
            .is_some()
        {
            self.refuse(format!("'{name}' is the name of two hosts"));
        }
        self.last = Last::Host(name.to_owned());
        self
    }

    /// A router.
    #[must_use]
    pub fn router(mut self, name: &str) -> Self {
        if self
            .file
            .routers
            .0
            .insert(name.to_owned().into(), Host::default())
            .is_some()
        {
            self.refuse(format!("'{name}' is the name of two routers"));
        }
        self.last = Last::Router(name.to_owned());
        self
    }

    /// A switch.
    #[must_use]
    pub fn switch(mut self, name: &str) -> Self {
        if self
            .file
            .switches
            .0
            .insert(name.to_owned().into(), Switch::default())
            .is_some()
        {
            self.refuse(format!("'{name}' is the name of two switches"));
        }
        self.last = Last::None;
        self
    }

    /// It is a container of this image.
    #[must_use]
    pub fn image(mut self, name: &str) -> Self {
        match self.current() {
            Some(host) => host.image = Some(name.to_owned().into()),
            None => self.refuse(format!(
                "the image {name} is of nothing: name a host before"
            )),
        }
        self
    }

    /// An address of the first interface, with prefix: `10.0.0.1/24`. May be said several times.
    #[must_use]
    pub fn address(self, address: &str) -> Self {
        self.of_host(address, |host, address| host.address.value.0.push(address))
    }

    /// An address of the host itself.
    #[must_use]
    pub fn loopback(self, address: &str) -> Self {
        self.of_host(address, |host, address| host.loopback.value.0.push(address))
    }

    /// Others may have its loopback addresses, too.
    #[must_use]
    pub fn anycast(mut self) -> Self {
        match self.current() {
            Some(host) => host.anycast = true,
            None => self.refuse("anycast is said of nothing: name a host before".into()),
        }
        self
    }

    /// Where packets go for which there is no route.
    #[must_use]
    pub fn gateway(self, address: &str) -> Self {
        self.of_host(address, |host, gateway| host.gateway.value.0.push(gateway))
    }

    /// A route to a network by a router.
    #[must_use]
    pub fn route(mut self, to: &str, via: &str) -> Self {
        match (to.parse(), via.parse()) {
            (Ok(to), Ok(via)) => match self.current() {
                Some(host) => host.routes.push(Route { to, via }.into()),
                None => self.refuse(format!("the route {to} is of nothing: name a host before")),
            },
            (to, via) => self.wrong.extend(
                to.err()
                    .into_iter()
                    .chain(via.err())
                    .map(|text| Problem::new(Place::default(), text)),
            ),
        }
        self
    }

    /// A command that is run to its end before the network counts as up.
    #[must_use]
    pub fn run(self, line: &str) -> Self {
        self.of_host(line, |host, shell| host.run.0.push(shell))
    }

    /// A program that is started and goes on.
    #[must_use]
    pub fn start(self, line: &str) -> Self {
        self.of_host(line, |host, shell| host.start.0.push(shell))
    }

    /// A link between two nodes.
    #[must_use]
    pub fn link(self, one: &str, other: &str) -> Self {
        self.link_with(one, &[], other, &[])
    }

    /// A link with addresses at its ends, as routers have them.
    #[must_use]
    pub fn link_with(mut self, one: &str, at_one: &[&str], other: &str, at_other: &[&str]) -> Self {
        let mut end = |node: &str, addresses: &[&str]| {
            let parsed = addresses.iter().filter_map(|text| {
                text.parse()
                    .map_err(|text| self.wrong.push(Problem::new(Place::default(), text)))
                    .ok()
            });
            At::from(End {
                node: node.to_owned(),
                address: Several(parsed.collect()),
                ..End::default()
            })
        };
        let ends = [end(one, at_one), end(other, at_other)];
        let link = Link {
            ends,
            character: Character::default(),
            mtu: None,
        };
        self.file.links.push(link.into());
        self
    }

    /// How long packets of the last link are under way, each way: `100ms`.
    #[must_use]
    pub fn delay(self, time: &str) -> Self {
        self.of_link(time, |link, time| link.character.delay = Some(time))
    }

    /// By how much that varies.
    #[must_use]
    pub fn jitter(self, time: &str) -> Self {
        self.of_link(time, |link, time| link.character.jitter = Some(time))
    }

    /// Packets that the last link loses: `0.1%`.
    #[must_use]
    pub fn loss(self, share: &str) -> Self {
        self.of_link(share, |link, share| link.character.loss = Some(share))
    }

    /// Bits a second of the last link: `1Mbit/s`.
    #[must_use]
    pub fn rate(self, rate: &str) -> Self {
        self.of_link(rate, |link, rate| link.character.rate = Some(rate))
    }

    /// Longest packet of the last link, in bytes.
    #[must_use]
    pub fn mtu(mut self, mtu: u32) -> Self {
        match self.file.links.last_mut() {
            Some(link) => link.value.mtu = Some(mtu.into()),
            None => self.refuse("the MTU is of nothing: name a link before".into()),
        }
        self
    }

    /// Links get no character, whatever was said.
    #[must_use]
    pub fn plain(mut self) -> Self {
        self.plain = true;
        self
    }

    /// Checks it.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn plan(self) -> Result<Plan> {
        let refused = |problems| {
            Error::File(Problems {
                file: String::new(),
                problems,
            })
        };
        if !self.wrong.is_empty() {
            return Err(refused(self.wrong));
        }
        Ok(Plan::of(&self.file.check().map_err(refused)?.file))
    }

    /// Brings it up. It lives as long as what is given back.
    ///
    /// # Errors
    /// Something is wrong with it, or as of [`build::up`].
    pub fn up(self) -> Result<Running> {
        let options = Options {
            plain: self.plain,
            interrupt: None,
        };
        build::up(self.plan()?, &options)
    }

    fn refuse(&mut self, text: String) {
        self.wrong.push(Problem::new(Place::default(), text));
    }

    fn current(&mut self) -> Option<&mut Host> {
        match &self.last {
            Last::None => None,
            Last::Host(name) => self.file.hosts.0.get_mut(&At::from(name.clone())),
            Last::Router(name) => self.file.routers.0.get_mut(&At::from(name.clone())),
        }
    }

    fn of_host<T: FromStr<Err = String>>(
        mut self,
        text: &str,
        put: impl FnOnce(&mut Host, T),
    ) -> Self {
        match (text.parse(), self.current()) {
            (Ok(value), Some(host)) => put(host, value),
            (Ok(_), None) => self.refuse(format!(
                "'{text}' is of nothing: name a host or router before"
            )),
            (Err(text), _) => self.refuse(text),
        }
        self
    }

    fn of_link<T: FromStr<Err = String>>(
        mut self,
        text: &str,
        put: impl FnOnce(&mut Link, T),
    ) -> Self {
        match (text.parse(), self.file.links.last_mut()) {
            (Ok(value), Some(link)) => put(&mut link.value, value),
            (Ok(_), None) => self.refuse(format!("'{text}' is of nothing: name a link before")),
            (Err(text), _) => self.refuse(text),
        }
        self
    }
}
