//! The operator's own look: name, logo and accent colour.

use std::fmt;
use std::str::FromStr;

use crate::crypto::digest::sha256;

/// What makes these pages the operator's.
#[derive(Debug, Clone)]
pub struct Brand {
    /// The name of the product or the house, in the header and in titles.
    pub name: String,
    /// The host of the issuer, `id.example.com`: people should know where they type their password.
    pub host: String,
    /// The accent colour; ours when none is set.
    pub accent: Option<Accent>,
    /// The path of the logo on this server (`/…`); our mark when none is set.
    pub logo: Option<String>,
}

/// An accent colour, made readable: the stylesheet gets it darker or lighter where contrast needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accent(Colour);

/// The text is not a colour of the form `#0e5f4c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAColour;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Colour([u8; 3]);

/// The surfaces of `style.css` an accent must be readable on: the darkest light one, the lightest dark one. Both are the tint.
const LIGHT_SURFACE: Colour = Colour([0xe8, 0xf0, 0xec]);
const DARK_SURFACE: Colour = Colour([0x24, 0x2c, 0x29]);
const WHITE: Colour = Colour([0xff; 3]);
const INK: Colour = Colour([0x06, 0x14, 0x10]);
/// WCAG 2.2, 1.4.3: text.
const READABLE: f64 = 4.5;

impl Brand {
    /// The look of an installation where nothing is set.
    pub fn plain(host: String) -> Self {
        Self { name: "Frontdesk".to_owned(), host, accent: None, logo: None }
    }

    /// The stylesheet with the operator's colours, if there are any.
    pub fn stylesheet(&self) -> Option<String> {
        let Accent(colour) = self.accent?;
        let light = colour.until_readable(LIGHT_SURFACE, INK);
        let dark = colour.until_readable(DARK_SURFACE, WHITE);
        Some(format!(
            ":root{{--accent:{light};--on-accent:{}}}\
             @media(prefers-color-scheme:dark){{:root{{--accent:{dark};--on-accent:{}}}}}",
            light.text_on(),
            dark.text_on()
        ))
    }

    /// The address of that stylesheet; another one for other colours, so that it may be kept for ever.
    pub fn stylesheet_path(&self) -> Option<String> {
        let hash = sha256(self.stylesheet()?.as_bytes());
        let hash: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Some(format!("/static/brand.css?h={hash}"))
    }
}

impl FromStr for Accent {
    type Err = NotAColour;

    fn from_str(text: &str) -> Result<Self, NotAColour> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6).ok_or(NotAColour)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(NotAColour);
        }
        let number = u32::from_str_radix(digits, 16).map_err(|_| NotAColour)?;
        let [_, red, green, blue] = number.to_be_bytes();
        Ok(Self(Colour([red, green, blue])))
    }
}

impl Colour {
    /// This colour, moved towards `end` in small steps until it can be read on `surface`.
    fn until_readable(self, surface: Self, end: Self) -> Self {
        (0..=20).map(|step| self.mixed(end, step)).find(|colour| colour.contrast(surface) >= READABLE).unwrap_or(end)
    }

    /// `twentieths` parts of `other` in it.
    fn mixed(self, other: Self, twentieths: u16) -> Self {
        let mut mixed = [0; 3];
        for (out, (from, to)) in mixed.iter_mut().zip(self.0.into_iter().zip(other.0)) {
            let sum = u16::from(from) * (20 - twentieths) + u16::from(to) * twentieths;
            *out = u8::try_from(sum / 20).unwrap_or(u8::MAX);
        }
        Self(mixed)
    }

    fn text_on(self) -> Self {
        if self.contrast(WHITE) >= READABLE { WHITE } else { INK }
    }

    /// WCAG 2.2: contrast ratio.
    fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// WCAG 2.2: relative luminance.
    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|channel| {
            let channel = f64::from(channel) / 255.0;
            if channel <= 0.04045 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl fmt::Display for NotAColour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a colour is written as # and six digits, for example #0e5f4c")
    }
}

impl std::error::Error for NotAColour {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_accent_becomes_readable() {
        for text in ["#ffffff", "#000000", "#ffff00", "#0e5f4c", "#7ed3b8", "#808080", "#ff0000", "#1a202c"] {
            let Accent(colour) = text.parse().unwrap();
            for (surface, end) in [(LIGHT_SURFACE, INK), (DARK_SURFACE, WHITE)] {
                let made = colour.until_readable(surface, end);
                assert!(made.contrast(surface) >= READABLE, "{text} on {surface}");
                assert!(made.contrast(made.text_on()) >= READABLE, "text on {made}");
            }
        }
    }

    #[test]
    fn an_accent_that_reads_well_is_left_alone() {
        let brand = Brand { accent: "#0e5f4c".parse().ok(), ..Brand::plain(String::new()) };
        assert!(brand.stylesheet().unwrap().starts_with(":root{--accent:#0e5f4c;--on-accent:#ffffff}"));
        assert!(brand.stylesheet_path().unwrap().starts_with("/static/brand.css?h="));
        assert_eq!(Brand::plain(String::new()).stylesheet(), None);
    }

    #[test]
    fn only_colours_reach_the_stylesheet() {
        for text in ["", "#fff", "red", "#12345g", "#+12345", "#000000;}", "#ééé"] {
            assert_eq!(text.parse::<Accent>(), Err(NotAColour), "{text}");
        }
    }

    #[test]
    fn no_surface_of_the_stylesheet_is_harder_to_read_on() {
        let css = include_str!("../../../static/style.css");
        let (light, dark) = css.split_once("@media (prefers-color-scheme: dark)").unwrap();
        let of = |theme: &str, name: &str| {
            let value = theme.split_once(&format!("--{name}: ")).unwrap().1.split(';').next().unwrap();
            value.parse::<Accent>().unwrap().0
        };
        for name in ["surface", "ground", "tint"] {
            assert!(of(light, name).luminance() >= LIGHT_SURFACE.luminance(), "{name}");
            assert!(of(dark, name).luminance() <= DARK_SURFACE.luminance(), "{name}");
        }
        assert_eq!((of(light, "tint"), of(dark, "tint")), (LIGHT_SURFACE, DARK_SURFACE));
        assert!(of(light, "accent").contrast(LIGHT_SURFACE) >= READABLE);
        assert!(of(dark, "accent").contrast(DARK_SURFACE) >= READABLE);
    }
}
