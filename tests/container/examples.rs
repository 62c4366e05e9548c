//! The files of the documentation for other launchers can be read, and give no more rights than ours.

use serde_norway::Value;

fn documents(name: &str) -> Vec<Value> {
    use serde::Deserialize;
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{name}: {e}"));
    let documents = serde_norway::Deserializer::from_str(&text);
    let read = |document| {
        let mut value = Value::deserialize(document).unwrap_or_else(|e| panic!("{name}: {e}"));
        // Twice: what is merged has merged keys of its own.
        for _ in 0..2 {
            value.apply_merge().expect("merged keys");
        }
        value
    };
    documents.map(read).collect()
}

fn words(value: &Value) -> Vec<&str> {
    let words = value.as_sequence().expect("a list").iter();
    words.map(|word| word.as_str().expect("a word")).collect()
}

#[test]
fn the_compose_file_gives_each_service_the_least() {
    let compose = documents("docs/container/compose.yaml").remove(0);
    let services = compose["services"].as_mapping().expect("services");
    assert_eq!(services.len(), 3);
    for (name, service) in services {
        assert_eq!(words(&service["cap_drop"]), ["ALL"], "{name:?}");
        assert_eq!(words(&service["cap_add"]), ["SYS_NICE"], "{name:?}");
        assert_eq!(service["read_only"], true, "{name:?}");
        assert!(service.get("privileged").is_none(), "{name:?}");
        let security = words(&service["security_opt"]);
        assert!(security.contains(&"no-new-privileges"), "{name:?}");
        let profile = security
            .iter()
            .find_map(|option| option.strip_prefix("seccomp="));
        let profile = std::path::Path::new("docs/container").join(profile.expect("a profile"));
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        assert!(root.join(profile).is_file(), "{name:?}");
    }
}

#[test]
fn the_manifest_for_kubernetes_asks_for_hugepages_and_gives_each_container_the_least() {
    let pods = documents("docs/container/kubernetes.yaml");
    assert_eq!(pods.len(), 2);
    let mut hugepages = 0;
    for pod in &pods {
        assert_eq!(pod["kind"], "Pod");
        let volumes = pod["spec"]["volumes"].as_sequence().expect("volumes");
        for container in pod["spec"]["containers"].as_sequence().expect("containers") {
            let rights = &container["securityContext"];
            assert_eq!(rights["privileged"], false);
            assert_eq!(rights["allowPrivilegeEscalation"], false);
            assert_eq!(rights["readOnlyRootFilesystem"], true);
            assert_eq!(words(&rights["capabilities"]["drop"]), ["ALL"]);
            assert_eq!(words(&rights["capabilities"]["add"]), ["SYS_NICE"]);
            assert_eq!(rights["seccompProfile"]["type"], "Localhost");
            for mount in container["volumeMounts"].as_sequence().expect("mounts") {
                let known = volumes.iter().any(|volume| volume["name"] == mount["name"]);
                assert!(known, "{mount:?}");
            }
            let resources = &container["resources"];
            assert_eq!(resources["requests"], resources["limits"]);
            hugepages += usize::from(resources["limits"].get("hugepages-2Mi").is_some());
        }
    }
    assert_eq!(hugepages, 1);
}
