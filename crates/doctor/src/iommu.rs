//! IOMMU and the drivers that hand devices to user space (`/sys/kernel/iommu_groups`, `/sys/bus/pci/drivers`, `/sys/module/vfio`).

use rustix::fs::{Access, AtFlags, CWD, accessat};
use sys::pci::USER_DRIVERS;

use crate::host::boot_with;
use crate::nics::{Nic, nics};
use crate::{Finding, Host};

const NAME: &str = "iommu";
const UNSAFE: &str = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode";

pub(crate) fn check(host: &Host) -> Vec<Finding> {
    let groups = host.list("/sys/kernel/iommu_groups").len();
    let loaded: Vec<&str> = USER_DRIVERS
        .into_iter()
        .filter(|driver| host.at(&format!("/sys/bus/pci/drivers/{driver}")).is_dir())
        .collect();
    let without = host
        .word(UNSAFE)
        .is_some_and(|value| value == "Y" || value == "1");
    let cards = nics(host);
    let drivers = match loaded.is_empty() {
        true => "no driver for user space is loaded".to_owned(),
        false => format!("drivers for user space: {}", loaded.join(", ")),
    };
    let found = match groups {
        0 => format!("no IOMMU; {drivers}"),
        groups => format!("{groups} groups; {drivers}"),
    };
    let mut findings = vec![
        Finding::ok(NAME, found)
            .with("groups", groups)
            .with("drivers", loaded)
            .with("noiommu", without),
    ];
    let by_vfio = |nic: &&Nic| nic.driver.as_deref() == Some("vfio-pci");
    findings.extend(
        cards
            .iter()
            .filter(by_vfio)
            .map(|nic| device(host, nic, groups, without)),
    );
    findings
}

/// Whether a card that vfio-pci has can be opened.
fn device(host: &Host, nic: &Nic, groups: usize, without: bool) -> Finding {
    let address = &nic.address;
    if groups == 0 && !without {
        let found =
            format!("{address} is bound to vfio-pci, and without an IOMMU that gives it to nobody");
        return Finding::fail(NAME, found).root(format!("echo 1 > {UNSAFE}"));
    }
    let node = match (&nic.group, groups) {
        (Some(group), 0) => format!("/dev/vfio/noiommu-{group}"),
        (Some(group), _) => format!("/dev/vfio/{group}"),
        (None, _) => "/dev/vfio/vfio".to_owned(),
    };
    let rights = Access::READ_OK | Access::WRITE_OK;
    match accessat(CWD, host.at(&node), rights, AtFlags::EACCESS) {
        Ok(()) if without && groups == 0 => Finding::warn(
            NAME,
            format!("{address} is used without an IOMMU: it can write to all memory of this host"),
        )
        .root(boot_with("intel_iommu=on iommu=pt")),
        Ok(()) => Finding::ok(NAME, format!("{address} can be opened ({node})")),
        Err(error) => {
            let user = host.user();
            Finding::warn(
                NAME,
                format!("{address}: {node} cannot be opened by user {user}: {error}"),
            )
            .root(format!("chown {user} {node}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;
    use crate::testing::{Made, about, one};

    fn card(made: &Made) {
        let path = "/sys/bus/pci/devices/0000:00:04.0";
        made.file(&format!("{path}/class"), "0x020000")
            .link(&format!("{path}/driver"), "../drivers/vfio-pci")
            .link(&format!("{path}/iommu_group"), "../../iommu_groups/7");
    }

    #[test]
    fn a_host_without_is_fine_as_long_as_no_card_wants_it() {
        let made = Made::new();
        let found = one(check(&made.host));
        assert_eq!(found.state, State::Ok);
        assert!(found.found.contains("no IOMMU; no driver"));
        card(&made);
        let found = check(&made.host);
        assert_eq!(about(&found, "gives it to nobody").state, State::Fail);
        made.file(UNSAFE, "Y\n").file("/dev/vfio/noiommu-7", "");
        assert_eq!(
            about(&check(&made.host), "all memory of this host").state,
            State::Warn
        );
    }

    #[test]
    fn a_card_can_be_opened_or_not() {
        let made = Made::new();
        card(&made);
        made.folder("/sys/kernel/iommu_groups/7");
        let found = check(&made.host);
        about(&found, "1 groups");
        let refused = about(&found, "cannot be opened");
        assert_eq!((refused.state, refused.as_root), (State::Warn, true));
        made.file("/dev/vfio/7", "");
        assert_eq!(about(&check(&made.host), "can be opened").state, State::Ok);
    }
}
