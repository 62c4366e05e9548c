//! Types that are written as text describe that text.

use std::borrow::Cow;

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AllOfBuilder, AnyOfBuilder, ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::command::component::{ClassifierMac, ComponentName};
use crate::port::PortName;

/// A number of 16 bits in digits.
const NUMBER: &str =
    "(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[0-9]{1,4})";

fn text(description: &str, pattern: &str, example: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
        .pattern(Some(pattern))
        .examples([example])
        .into()
}

impl PartialSchema for PortName {
    fn schema() -> RefOr<Schema> {
        let pattern = format!(
            "^(phy:{NUMBER}( ?nq ?{NUMBER})?|(ring|vhost|pcap|nullpmd|tap|memif):{NUMBER})$"
        );
        let description = "A port: its kind and number, a queue of a physical one as `phy:0nq1`.";
        text(description, &pattern, "vhost:1")
    }
}

impl ToSchema for PortName {
    fn name() -> Cow<'static, str> {
        "PortName".into()
    }
}

impl PartialSchema for ComponentName {
    fn schema() -> RefOr<Schema> {
        let description = "Name of a component: one word of 1 to 31 bytes.";
        text(description, "^[!-~]{1,31}$", "fwd1")
    }
}

impl ToSchema for ComponentName {
    fn name() -> Cow<'static, str> {
        "ComponentName".into()
    }
}

impl PartialSchema for ClassifierMac {
    fn schema() -> RefOr<Schema> {
        const BYTE: &str = "[0-9A-Fa-f]{2}";
        let pattern = format!(
            "^(default|({BYTE}:){{5}}{BYTE}|({BYTE}-){{5}}{BYTE}|({BYTE}{BYTE}[.]){{2}}{BYTE}{BYTE}|({BYTE}){{6}})$"
        );
        let description = "A MAC address but 00:00:00:00:00:01, or `default`.";
        text(description, &pattern, "02:00:00:00:00:0a")
    }
}

impl ToSchema for ClassifierMac {
    fn name() -> Cow<'static, str> {
        "ClassifierMac".into()
    }
}

/// Options of EAL in a request to launch.
pub enum EalOptions {}

/// Options of a program in a request to launch.
pub enum AppOptions {}

/// Options by name; their values are one word, a number, or `null` for none.
fn options() -> ObjectBuilder {
    let word = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^[!-~]*$"));
    let value = AnyOfBuilder::new()
        .item(word)
        .item(ObjectBuilder::new().schema_type(Type::Integer))
        .item(ObjectBuilder::new().schema_type(Type::Null))
        .build();
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .additional_properties(Some(Schema::from(value)))
}

impl PartialSchema for EalOptions {
    fn schema() -> RefOr<Schema> {
        let cpus = ["-l", "-c", "--lcores"].into_iter();
        let cpus = cpus.fold(AnyOfBuilder::new(), |any, option| {
            any.item(ObjectBuilder::new().required(option))
        });
        let needed = options().required("--proc-type");
        Schema::from(
            AllOfBuilder::new()
                .item(needed)
                .item(Schema::from(cpus.build()))
                .build(),
        )
        .into()
    }
}

impl ToSchema for EalOptions {
    fn name() -> Cow<'static, str> {
        "EalOptions".into()
    }
}

impl PartialSchema for AppOptions {
    fn schema() -> RefOr<Schema> {
        options().into()
    }
}

impl ToSchema for AppOptions {
    fn name() -> Cow<'static, str> {
        "AppOptions".into()
    }
}
