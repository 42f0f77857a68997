//! How a declaration of limits becomes structs, flags and keys of host.toml.

use std::fmt::{self, Display};
use std::marker::PhantomData;

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, Visitor};

use super::value::{LimitError, Unit};
use super::{AppLimits, AppLimitsPatch, HostLimits, HostLimitsPatch};

/// Declares a struct of limits and the patch that sets some of them.
///
/// One line is `name: unit = default, from least;` under the limit's documentation, which says what
/// is limited and why the default is what it is. The same text is the help of the flag.
macro_rules! limits {
    (
        $(#[doc = $about:literal])+
        $limits:ident, $patch:ident, $heading:literal {
            $( $(#[doc = $doc:literal])+ $name:ident: $unit:ty = $default:expr, from $least:expr; )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq, Eq, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields)]
        pub struct $limits {
            $(
                $(#[doc = $doc])+
                #[doc = concat!("\n\nDefault `", stringify!($default), "`, least `", stringify!($least), "`.")]
                pub $name: $unit,
            )+
        }

        impl $limits {
            /// The fields in order of declaration; flags and keys have `-` in place of `_`.
            pub const FIELDS: &'static [&'static str] = &[$(stringify!($name)),+];
        }

        impl Default for $limits {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        #[doc = concat!("The [`", stringify!($limits), "`] that somebody has set, on the command line or in a table.")]
        #[derive(Debug, Clone, Default, PartialEq, Eq, ::clap::Args)]
        pub struct $patch {
            $(
                $(#[doc = $doc])+
                #[arg(
                    long,
                    value_name = <$unit as $crate::limits::value::Unit>::VALUE_NAME,
                    value_parser = $crate::limits::define::at_least::<$unit>($least),
                    help = $crate::limits::define::help(&[$($doc),+], &$default),
                    help_heading = $heading,
                )]
                pub $name: Option<$unit>,
            )+
        }

        impl $patch {
            #[doc = concat!("`base` with what this patch sets in its place.")]
            pub fn apply(&self, base: $limits) -> $limits {
                $limits { $($name: self.$name.unwrap_or(base.$name),)+ }
            }
        }

        impl $crate::limits::define::Patch for $patch {
            const FIELDS: &'static [&'static str] = $limits::FIELDS;

            fn read<'de, A>(&mut self, field: &'static str, map: &mut A) -> Result<(), A::Error>
            where
                A: ::serde::de::MapAccess<'de>,
            {
                $(
                    if field == stringify!($name) {
                        self.$name = Some(map.next_value_seed($crate::limits::define::AtLeast($least))?);
                    }
                )+
                Ok(())
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $patch {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::limits::define::read_table(deserializer)
            }
        }
    };
}

pub(super) use limits;

/// The table `[limits]` of host.toml: the host's own limits, and the defaults of every app's.
///
/// Serde's `flatten` would let unknown keys through, so the two patches read the table together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LimitsPatch {
    /// Limits of the host.
    pub host: HostLimitsPatch,
    /// Defaults of each app's limits.
    pub app: AppLimitsPatch,
}

/// A set of limits of which each may be set, read from a table key by key.
pub(super) trait Patch: Default {
    /// The names of its fields.
    const FIELDS: &'static [&'static str];

    /// Reads the value of `field`, one of [`Patch::FIELDS`]; of another field it reads nothing.
    fn read<'de, A: MapAccess<'de>>(&mut self, field: &'static str, map: &mut A) -> Result<(), A::Error>;
}

/// The value of a limit, refused if it is under the least one.
pub(super) struct AtLeast<T>(pub(super) T);

/// Reads a table of limits; an unknown key and a value out of range are errors at their place.
pub(super) fn read_table<'de, P: Patch, D: Deserializer<'de>>(deserializer: D) -> Result<P, D::Error> {
    deserializer.deserialize_map(TableVisitor(PhantomData))
}

/// The parser of a flag that takes `least` or more.
pub(super) fn at_least<T: Unit>(least: T) -> impl Fn(&str) -> Result<T, LimitError> + Clone + Send + Sync {
    move |text| T::parse(text).and_then(|value| check(value, least))
}

/// The help of a flag: its documentation on one line, with the default.
pub(super) fn help(documentation: &[&str], default: &dyn Display) -> String {
    let lines: Vec<&str> = documentation.iter().map(|line| line.trim()).collect();
    format!("{} [default: {default}]", lines.join(" "))
}

// === impl LimitsPatch ===

impl Patch for LimitsPatch {
    const FIELDS: &'static [&'static str] = &{
        const HOST: &[&str] = HostLimits::FIELDS;
        const APP: &[&str] = AppLimits::FIELDS;
        let mut fields = [""; HOST.len() + APP.len()];
        let (host, app) = fields.split_at_mut(HOST.len());
        host.copy_from_slice(HOST);
        app.copy_from_slice(APP);
        fields
    };

    fn read<'de, A: MapAccess<'de>>(&mut self, field: &'static str, map: &mut A) -> Result<(), A::Error> {
        if HostLimits::FIELDS.contains(&field) { self.host.read(field, map) } else { self.app.read(field, map) }
    }
}

impl<'de> Deserialize<'de> for LimitsPatch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_table(deserializer)
    }
}

// === impl AtLeast ===

impl<'de, T: Unit> DeserializeSeed<'de> for AtLeast<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        check(T::read(deserializer)?, self.0).map_err(de::Error::custom)
    }
}

fn check<T: Unit>(value: T, least: T) -> Result<T, LimitError> {
    if value < least {
        return Err(LimitError::TooLittle { value: value.to_string(), least: least.to_string() });
    }
    Ok(value)
}

// === reading of tables ===

struct TableVisitor<P>(PhantomData<P>);

impl<'de, P: Patch> Visitor<'de> for TableVisitor<P> {
    type Value = P;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of limits")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<P, A::Error> {
        let mut patch = P::default();
        while let Some(field) = map.next_key_seed(FieldName(P::FIELDS))? {
            patch.read(field, &mut map)?;
        }
        Ok(patch)
    }
}

/// Reads a key as one of these fields. A seed, so that the error carries the place of the key.
struct FieldName(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for FieldName {
    type Value = &'static str;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<&'static str, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for FieldName {
    type Value = &'static str;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a limit")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<&'static str, E> {
        if let Some(field) = self.0.iter().find(|field| kebab(field) == key) {
            return Ok(field);
        }
        if HostLimits::FIELDS.iter().any(|field| kebab(field) == key) {
            return Err(E::custom(format!("`{key}` is a limit of the host, not of one app; set it in [limits]")));
        }
        let known: Vec<String> = self.0.iter().map(|field| kebab(field)).collect();
        Err(E::custom(format!("unknown limit `{key}`; the limits are {}", known.join(", "))))
    }
}

fn kebab(field: &str) -> String {
    field.replace('_', "-")
}
