//! Finds the system's DPDK, compiles the C shim against its headers and generates the bindings.

use std::path::{Path, PathBuf};
use std::{env, fs, process::exit};

/// Ends the build with one line that says what is missing and how to get it.
fn missing(what: &str, detail: &str) -> ! {
    println!("cargo:warning={what}");
    eprintln!("{what}\n{detail}");
    exit(1);
}

/// libclang has to be found by bindgen at run time; distributions put it into versioned folders.
fn find_libclang() {
    println!("cargo:rerun-if-env-changed=LIBCLANG_PATH");
    if env::var_os("LIBCLANG_PATH").is_some() {
        return;
    }
    let mut folders: Vec<PathBuf> = [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/usr/lib64",
        "/usr/lib",
    ]
    .iter()
    .map(PathBuf::from)
    .collect();
    if let Ok(entries) = fs::read_dir("/usr/lib") {
        folders.extend(
            entries
                .flatten()
                .map(|e| e.path().join("lib"))
                .filter(|p| p.to_string_lossy().contains("/llvm-")),
        );
    }
    let has = |dir: &Path| {
        fs::read_dir(dir).is_ok_and(|mut entries| {
            entries.any(|e| {
                e.is_ok_and(|e| {
                    e.file_name().to_string_lossy().starts_with("libclang")
                        && e.file_name().to_string_lossy().contains(".so")
                })
            })
        })
    };
    if !folders.iter().any(|f| has(f)) {
        missing(
            "dpdk-sys: libclang was not found: install libclang and clang, 14 or newer (Debian: apt-get install libclang-dev clang)",
            "or name its folder in LIBCLANG_PATH",
        );
    }
}

fn main() {
    println!("cargo:rerun-if-changed=shim/shim.c");
    println!("cargo:rerun-if-changed=shim/shim.h");
    println!("cargo:rerun-if-changed=shim/flow_check.c");
    let dpdk = match pkg_config::Config::new()
        .cargo_metadata(false)
        .atleast_version("22.11")
        .probe("libdpdk")
    {
        Ok(dpdk) => dpdk,
        Err(e) => missing(
            "dpdk-sys: DPDK 22.11 or later was not found by pkg-config: install libdpdk-dev and pkg-config (Debian: apt-get install libdpdk-dev pkg-config)",
            &e.to_string(),
        ),
    };
    find_libclang();

    // pkg-config's crate drops `-include rte_config.h` and `-march`, which DPDK's headers need.
    let flags = ["-include", "rte_config.h", "-march=corei7"];
    let flags = if cfg!(target_arch = "x86_64") {
        &flags[..]
    } else {
        &flags[..2]
    };

    let mut cc = cc::Build::new();
    cc.file("shim/shim.c")
        .file("shim/flow_check.c")
        .includes(&dpdk.include_paths)
        .define("_GNU_SOURCE", None)
        .opt_level(3);
    cc.define("ALLOW_EXPERIMENTAL_API", None);
    for flag in flags {
        cc.flag(flag);
    }
    cc.flag_if_supported("-Wno-deprecated-declarations");
    cc.compile("spp_shim");

    for path in &dpdk.link_paths {
        println!("cargo:rustc-link-search=native={}", path.display());
    }
    for lib in [
        "rte_eal",
        "rte_mempool",
        "rte_mbuf",
        "rte_ring",
        "rte_ethdev",
        "rte_vhost",
        "rte_bus_vdev",
        "rte_log",
        "rte_kvargs",
    ] {
        // librte_log exists from 23.11 on; the bus of virtual devices counts as a driver, which
        // pkg-config does not name.
        if dpdk.libs.iter().any(|l| l == lib) || lib == "rte_bus_vdev" {
            println!("cargo:rustc-link-lib=dylib={lib}");
        }
    }

    let mut bindings = bindgen::Builder::default()
        .header("shim/shim.h")
        .clang_args(flags)
        .clang_args(dpdk.include_paths.iter().map(|p| format!("-I{}", p.display())))
        .clang_arg("-DALLOW_EXPERIMENTAL_API")
        .allowlist_function("spp_.*")
        .allowlist_type("spp_.*")
        .allowlist_var("(SPP|RTE_VHOST_USER)_.*")
        .prepend_enum_name(false)
        .allowlist_function("rte_eal_(init|cleanup|process_type|primary_proc_alive|remote_launch|wait_lcore|get_runtime_dir)")
        .allowlist_function("rte_(lcore_count|get_next_lcore|version|strerror|get_tsc_hz|socket_id)")
        .allowlist_function("rte_service_finalize")
        .allowlist_function("rte_memzone_(reserve_aligned|lookup|free)")
        .allowlist_function("rte_ring_(create|lookup|free)")
        .allowlist_function("rte_pktmbuf_(pool_create_by_ops|free_bulk)")
        .allowlist_function("rte_mbuf_dyn(field|flag)_(register|lookup)")
        .allowlist_function("rte_mempool_(lookup|free|avail_count)")
        .allowlist_function("rte_(vdev_(init|uninit)|eth_dev_get_mtu)")
        .allowlist_function("rte_flow_(validate|create|destroy|flush)")
        .allowlist_type("rte_flow_item_(eth|vlan)")
        .allowlist_type("rte_flow_action_(jump|queue|of_push_vlan|of_set_vlan_vid|of_set_vlan_pcp)")
        // Their fields are reached by the offsets in `spp_layout`.
        .opaque_type("rte_flow_item_(eth|vlan)")
        .allowlist_function("rte_vhost_.*")
        .allowlist_type("rte_vhost_device_ops")
        .opaque_type("rte_(mbuf|mempool|ring|memzone|eth_.*|mempool_.*)")
        .opaque_type("rte_vhost_(memory|inflight.*|ring_inflight|memory_region)")
        .derive_default(true)
        .layout_tests(true)
        .parse_callbacks(Box::new(bindgen::CargoCallbacks::new()));
    if cfg!(target_arch = "x86_64") {
        // bindgen cannot express packed structs with aligned fields; nothing we use holds one.
        bindings = bindings.blocklist_type("rte_arp_.*|rte_l2tpv2_.*");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("bindings.rs");
    match bindings.generate() {
        Ok(bindings) => {
            if let Err(e) = bindings.write_to_file(&out) {
                missing(
                    "dpdk-sys: the bindings could not be written",
                    &format!("{}: {e}", out.display()),
                );
            }
        }
        Err(e) => missing(
            "dpdk-sys: bindgen could not read DPDK's headers",
            &e.to_string(),
        ),
    }

    // The pool operations library holds only a constructor, so the linker would leave it out:
    // it is loaded by name before EAL starts (every binary registers the operations in one order).
    let ops = dpdk
        .link_paths
        .iter()
        .chain(
            [
                PathBuf::from("/usr/lib/x86_64-linux-gnu"),
                PathBuf::from("/usr/lib/aarch64-linux-gnu"),
                PathBuf::from("/usr/lib64"),
            ]
            .iter(),
        )
        .map(|p| p.join("librte_mempool_ring.so"))
        .find_map(|p| fs::canonicalize(p).ok())
        .and_then(|p| p.file_name().map(|n| n.to_string_lossy().into_owned()))
        .unwrap_or_default();
    println!("cargo:rustc-env=SPP_MEMPOOL_RING_LIB={ops}");
    println!("cargo:rustc-env=SPP_DPDK_BUILD_VERSION={}", dpdk.version);
}
