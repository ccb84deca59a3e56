//! A colour of the pages, and whether it can be read.

use std::fmt;

use super::setting::{TextSetting, Wrong};

/// An sRGB colour, written `#rrggbb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour {
    /// Red, 0 to 255.
    pub red: u8,
    /// Green, 0 to 255.
    pub green: u8,
    /// Blue, 0 to 255.
    pub blue: u8,
}

impl Colour {
    /// White.
    pub const WHITE: Self = Self::new(255, 255, 255);

    /// A colour from its three parts.
    #[must_use]
    pub const fn new(red: u8, green: u8, blue: u8) -> Self {
        Self { red, green, blue }
    }

    /// Contrast ratio from 1 to 21 (WCAG 2.2, "contrast ratio"); text needs 4.5.
    #[must_use]
    pub fn contrast_with(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// Relative luminance from 0 to 1 (WCAG 2.2).
    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(self.red) + 0.7152 * linear(self.green) + 0.0722 * linear(self.blue)
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }
}

impl TextSetting for Colour {
    const WRITE: &'static str = "Write a colour as six hexadecimal digits, such as \"#2b59c3\".";

    fn from_text(text: &str) -> Result<Self, Wrong> {
        text.strip_prefix('#')
            .filter(|digits| digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .map(|number| {
                let [_, red, green, blue] = number.to_be_bytes();
                Self::new(red, green, blue)
            })
            .ok_or_else(|| Wrong::new(format!("{text:?} is not a colour"), <Self as TextSetting>::WRITE))
    }

    fn to_text(&self) -> String {
        self.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrast_follows_wcag() {
        assert!((Colour::WHITE.contrast_with(Colour::new(0, 0, 0)) - 21.0).abs() < 0.001);
        assert!((Colour::WHITE.contrast_with(Colour::WHITE) - 1.0).abs() < 0.001);
        // #767676 is the well-known lightest grey that passes on white, #777777 the first that fails.
        assert!(Colour::WHITE.contrast_with(Colour::new(0x76, 0x76, 0x76)) >= 4.5);
        assert!(Colour::WHITE.contrast_with(Colour::new(0x77, 0x77, 0x77)) < 4.5);
    }
}
