//! PCI devices as the kernel shows them (`/sys/bus/pci`).

/// Drivers of the kernel that hand a device to a program in user space.
pub const USER_DRIVERS: [&str; 3] = ["vfio-pci", "igb_uio", "uio_pci_generic"];
