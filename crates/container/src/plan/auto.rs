//! `--lcores auto`.

use crate::app::{App, Role};
use crate::engine::Container;
use crate::layout::{self, Layout, Machine, Taken, Wish};
use crate::options::Given;
use crate::plan::Plan;
use crate::{Error, Result};

/// The word, alone or with a number of workers: `auto:2`.
const AUTO: &str = "auto";
/// Most workers that can be asked for: as many lcores as DPDK has, without the main one.
const MOST: u32 = crate::cpus::MOST;

impl Plan {
    /// The same as [`Plan::new`], where `--lcores auto` is laid out over the CPUs of this host that neither `running` containers nor
    /// processes of panels have. Gives the layout, too, if there is one.
    ///
    /// # Errors
    /// What cannot be, with the reason.
    pub fn laid_out(
        app: &App,
        given: &Given,
        id: &str,
        running: &[Container],
    ) -> Result<(Self, Option<Layout>)> {
        let Some(workers) = wanted(app, given)? else {
            return Ok((Self::new(app, given, id)?, None));
        };
        let wish = Wish {
            name: given.value("--name").unwrap_or(&app.name).to_owned(),
            main: !app.main_works,
            workers,
            rests: app.rests,
        };
        let mut taken = layout::of_containers(running);
        taken.extend(layout::of_panels());
        let layout = lay_out(app, given, wish, &taken)?;
        let mut given = given.clone();
        let placed = layout.placed.first();
        let map = placed.and_then(|placed| match app.is_foreign_secondary() {
            true => placed.map(free_ids(app, &given, running)),
            // What names its lcores by number, as l3fwd does, is to know them before they are laid out.
            false if app.role == Role::Guest => placed.map(0..),
            false => placed.map(placed.ids()),
        });
        let Some(map) = map else {
            return Err(Error::refused(format!(
                "--lcores auto: no lcore ids are left in this panel for {} lcores of a program that is not SPP's: end one of its containers, or name \
                 ids above the number of CPUs with --lcores, which SPP's own take from 127 downward",
                placed.map_or(0, layout::Placed::threads)
            )));
        };
        given.set("--lcores", &map);
        let mut plan = Self::new(app, &given, id)?;
        plan.main = placed.and_then(|placed| placed.main);
        // What is shared was found out to be unavoidable, and is said.
        plan.share_cpus = true;
        Ok((plan, Some(layout)))
    }
}

/// How many workers are to be laid out: nothing if CPUs are named.
fn wanted(app: &App, given: &Given) -> Result<Option<u32>> {
    let least = u32::from(app.main_works);
    match given
        .value("--lcores")
        .map(|text| (text, text.split_once(':')))
    {
        Some((AUTO, None)) => Ok(Some(app.workers + least)),
        Some((text, Some((AUTO, number)))) => match number.parse::<u32>() {
            Ok(workers @ 1..=MOST) => Ok(Some(workers)),
            _ => Err(Error::usage(format!(
                "--lcores {text}: the number of workers is 1 to {MOST}"
            ))),
        },
        _ => Ok(None),
    }
}

fn lay_out(app: &App, given: &Given, wish: Wish, taken: &[Taken]) -> Result<Layout> {
    if given.typed("--core-list") || given.typed("--core-mask") {
        return Err(Error::usage(
            "--lcores is given beside -l or -c: one of them",
        ));
    }
    let machine = Machine::of_host()?;
    let node = match machine.nodes().len() {
        0 | 1 => None,
        _ => {
            let nic = given.all("--pci-whitelist").find_map(layout::pci_node);
            let prefix = given.value("--file-prefix").or(app.file_prefix.as_deref());
            let memory = prefix.filter(|_| app.role == Role::Secondary);
            nic.or_else(|| memory.and_then(layout::memory_node))
        }
    };
    Ok(layout::lay_out(&machine, &[wish], taken, node))
}

/// lcore ids for a secondary that is not SPP's: those that no other such container of the panel has, of the numbers of CPUs, which
/// SPP's own processes leave alone.
fn free_ids(app: &App, given: &Given, running: &[Container]) -> Vec<u32> {
    let prefix = given.value("--file-prefix").or(app.file_prefix.as_deref());
    let of_panel = |c: &&Container| c.running && c.prefix.as_deref() == prefix;
    let used: Vec<u32> = running
        .iter()
        .filter(of_panel)
        .flat_map(|container| container.lcore_ids.iter().copied())
        .collect();
    let cpus = sys::affinity::cpu_count().unwrap_or(1);
    (0..cpus).filter(|id| !used.contains(id)).collect()
}
