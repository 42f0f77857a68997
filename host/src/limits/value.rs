//! The units of limits: bytes, time and plain counts.

use std::fmt::{self, Display};
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

/// A number of bytes, written `64KiB`, `2GiB`, `1.5MB` or `1000`.
///
/// `KiB` is 1024 bytes and `KB` is 1000. At most 1 PiB, so that sums of sizes cannot overflow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

/// A stretch of time, written `500ms`, `5s`, `1h` or `1m 30s`.
///
/// At most 366 days, so that adding it to an instant cannot overflow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(Duration);

/// Why a text or number is no value of a limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// Not a size.
    #[error("{0:?} is not a size; write bytes, or a number with a unit such as 64KiB or 2GiB")]
    Size(String),
    /// Not a duration.
    #[error("{0:?} is not a duration; write a number with a unit such as 500ms, 5s or 1h")]
    Span(String),
    /// Not a count.
    #[error("{0:?} is not a count; write a whole number from 0 to 4294967295")]
    Count(String),
    /// Under the least value that makes sense.
    #[error("{value} is too little; the least is {least}")]
    TooLittle {
        /// What was asked for.
        value: String,
        /// The least that can be asked for.
        least: String,
    },
    /// Over the most that the type can hold.
    #[error("{value} is too much; the most is {most}")]
    TooMuch {
        /// What was asked for.
        value: String,
        /// The most that can be asked for.
        most: String,
    },
}

/// What a limit is counted in.
pub(super) trait Unit: Copy + Ord + Display + for<'de> Deserialize<'de> + Send + Sync + 'static {
    /// What stands for the value in `--help`.
    const VALUE_NAME: &'static str;

    /// Reads a value of the command line.
    fn parse(text: &str) -> Result<Self, LimitError>;

    /// Reads a value of host.toml.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer)
    }
}

// === impl Size ===

impl Size {
    /// No bytes.
    pub const ZERO: Self = Self(0);
    /// The largest size.
    pub const MAX: Self = Self(1 << 50);

    /// `bytes` bytes, [`Size::MAX`] if that is less.
    pub const fn from_bytes(bytes: u64) -> Self {
        if bytes > Self::MAX.0 { Self::MAX } else { Self(bytes) }
    }

    /// `number` times 1024 bytes.
    pub const fn from_kib(number: u64) -> Self {
        Self::from_bytes(number.saturating_mul(1 << 10))
    }

    /// `number` times 1024 KiB.
    pub const fn from_mib(number: u64) -> Self {
        Self::from_bytes(number.saturating_mul(1 << 20))
    }

    /// `number` times 1024 MiB.
    pub const fn from_gib(number: u64) -> Self {
        Self::from_bytes(number.saturating_mul(1 << 30))
    }

    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// The number of bytes for a buffer in memory; `usize::MAX` where `usize` is too narrow.
    pub fn to_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    fn checked(bytes: u64) -> Result<Self, LimitError> {
        if bytes > Self::MAX.0 {
            return Err(LimitError::TooMuch { value: bytes.to_string(), most: Self::MAX.to_string() });
        }
        Ok(Self(bytes))
    }
}

impl Unit for Size {
    const VALUE_NAME: &'static str = "SIZE";

    fn parse(text: &str) -> Result<Self, LimitError> {
        let bytes = ByteSize::from_str(text).map_err(|_| LimitError::Size(text.to_owned()))?;
        Self::checked(bytes.as_u64())
    }
}

impl FromStr for Size {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        Unit::parse(text)
    }
}

impl Display for Size {
    /// The exact size, in the largest unit that divides it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(50, "PiB"), (40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
        for (shift, unit) in units {
            if self.0 != 0 && self.0.trailing_zeros() >= shift {
                return write!(f, "{}{unit}", self.0 >> shift);
            }
        }
        write!(f, "{}", self.0)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SizeVisitor;

        impl Visitor<'_> for SizeVisitor {
            type Value = Size;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size such as \"64KiB\" or a number of bytes")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Size, E> {
                Unit::parse(text).map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<Size, E> {
                Size::checked(bytes).map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<Size, E> {
                u64::try_from(bytes)
                    .map_err(|_| E::custom(LimitError::Size(bytes.to_string())))
                    .and_then(|bytes| self.visit_u64(bytes))
            }
        }

        deserializer.deserialize_any(SizeVisitor)
    }
}

// === impl Span ===

impl Span {
    /// No time.
    pub const ZERO: Self = Self(Duration::ZERO);
    /// The longest span.
    pub const MAX: Self = Self(Duration::from_secs(366 * 24 * 60 * 60));

    /// `seconds` seconds, [`Span::MAX`] if that is less.
    pub const fn from_secs(seconds: u64) -> Self {
        if seconds > Self::MAX.0.as_secs() { Self::MAX } else { Self(Duration::from_secs(seconds)) }
    }

    /// `milliseconds` milliseconds, [`Span::MAX`] if that is less.
    pub const fn from_millis(milliseconds: u64) -> Self {
        if milliseconds / 1000 >= Self::MAX.0.as_secs() {
            return Self::MAX;
        }
        Self(Duration::from_millis(milliseconds))
    }

    /// The span as the standard library's type.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl Unit for Span {
    const VALUE_NAME: &'static str = "DURATION";

    fn parse(text: &str) -> Result<Self, LimitError> {
        let duration = humantime::parse_duration(text).map_err(|_| LimitError::Span(text.to_owned()))?;
        if duration > Self::MAX.0 {
            return Err(LimitError::TooMuch { value: text.escape_debug().to_string(), most: "366 days".to_owned() });
        }
        Ok(Self(duration))
    }
}

impl FromStr for Span {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        Unit::parse(text)
    }
}

impl Display for Span {
    /// The exact span, such as `1m 30s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        span.0
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SpanVisitor;

        impl Visitor<'_> for SpanVisitor {
            type Value = Span;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration with its unit such as \"500ms\" or \"5s\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Span, E> {
                Unit::parse(text).map_err(E::custom)
            }
        }

        deserializer.deserialize_str(SpanVisitor)
    }
}

// === impl Unit for u32 ===

impl Unit for u32 {
    const VALUE_NAME: &'static str = "N";

    fn parse(text: &str) -> Result<Self, LimitError> {
        text.parse().map_err(|_| LimitError::Count(text.to_owned()))
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CountVisitor)
    }
}

/// Serde's own messages for integers name the type, which says nothing to an operator.
struct CountVisitor;

impl Visitor<'_> for CountVisitor {
    type Value = u32;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number such as 64, without quotes")
    }

    fn visit_u64<E: de::Error>(self, count: u64) -> Result<u32, E> {
        count.try_into().map_err(|_| E::custom(LimitError::Count(count.to_string())))
    }

    fn visit_i64<E: de::Error>(self, count: i64) -> Result<u32, E> {
        count.try_into().map_err(|_| E::custom(LimitError::Count(count.to_string())))
    }
}
