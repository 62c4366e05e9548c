//! The controller: TCP listeners, REST, topology.
