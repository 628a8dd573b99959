//! Pictures as files: SVG as it is, PNG and PDF made from it, chosen by the file's ending.
//!
//! Text in PNG and PDF is set in Noto Sans (SIL Open Font License 1.1), which the program carries: no font needs to be
//! installed. In PDF it is drawn as outlines.

use std::path::Path;

use crate::atomic_file;
use crate::error::{Error, Result};

#[derive(Clone, Copy, PartialEq)]
enum Format {
    Svg,
    Png,
    Pdf,
}

fn format(path: &Path) -> Result<Format> {
    let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    let format = match ending.as_str() {
        "svg" => Format::Svg,
        "png" => Format::Png,
        "pdf" => Format::Pdf,
        _ => return Err(Error::User(format!("{}: no format of pictures; name a file that ends in .svg, .png or .pdf", path.display()))),
    };
    if format != Format::Svg && cfg!(not(feature = "figures")) {
        return Err(Error::User(format!(
            "{}: this build draws SVG alone (the feature `figures` is off); name a file that ends in .svg",
            path.display()
        )));
    }
    Ok(format)
}

/// Fails as `write` would for the file's ending or its folder, before any work.
pub fn check(path: &Path) -> Result<()> {
    format(path)?;
    atomic_file::check(path)
}

/// Writes an SVG text to `path`, converted as its ending says.
///
/// # Errors
/// [`Error::User`] for an unknown ending, [`Error::Io`] if the picture cannot be converted or written.
pub fn write(path: &Path, svg: String) -> Result<()> {
    let failed = |e: String| Error::Io(format!("{}: the picture cannot be made: {e}", path.display()));
    let bytes = match format(path)? {
        Format::Svg => svg.into_bytes(),
        Format::Png => convert::png(&svg).map_err(failed)?,
        Format::Pdf => convert::pdf(&svg).map_err(failed)?,
    };
    atomic_file::write(path, &bytes)
}

#[cfg(feature = "figures")]
mod convert {
    use std::sync::Arc;

    use resvg::tiny_skia::{Pixmap, Transform};
    use resvg::usvg::{self, Options, Tree, WriteOptions, fontdb};

    use super::super::text::FAMILY;

    /// Pixels of a PNG to a pixel of the SVG: sharp on a slide of 2400 pixels.
    const SCALE: f32 = 2.0;

    fn tree(svg: &str) -> Result<Tree, String> {
        let mut fonts = fontdb::Database::new();
        fonts.load_font_data(notosans::REGULAR_TTF.to_vec());
        fonts.load_font_data(notosans::ITALIC_TTF.to_vec());
        fonts.set_sans_serif_family(FAMILY);
        let options = Options { font_family: FAMILY.into(), fontdb: Arc::new(fonts), ..Options::default() };
        Tree::from_str(svg, &options).map_err(|e| e.to_string())
    }

    pub fn png(svg: &str) -> Result<Vec<u8>, String> {
        let tree = tree(svg)?;
        let size = tree.size().to_int_size().scale_by(SCALE).ok_or("it has no size")?;
        let mut pixels = Pixmap::new(size.width(), size.height()).ok_or("it has no size")?;
        resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
        pixels.encode_png().map_err(|e| e.to_string())
    }

    pub fn pdf(svg: &str) -> Result<Vec<u8>, String> {
        // texts become paths on the way: the PDF needs no fonts
        let outlined = tree(svg)?.to_string(&WriteOptions { preserve_text: false, ..WriteOptions::default() });
        let tree = usvg::Tree::from_str(&outlined, &Options::default()).map_err(|e| e.to_string())?;
        svg2pdf::to_pdf(&tree, svg2pdf::ConversionOptions::default(), svg2pdf::PageOptions::default()).map_err(|e| e.to_string())
    }
}

#[cfg(not(feature = "figures"))]
mod convert {
    pub fn png(_: &str) -> Result<Vec<u8>, String> {
        Err("built without PNG".into())
    }

    pub fn pdf(_: &str) -> Result<Vec<u8>, String> {
        Err("built without PDF".into())
    }
}

#[cfg(all(test, feature = "figures"))]
mod tests {
    use super::super::{Anchor, INK, Picture, Text};
    use super::*;

    fn sample(text: &str) -> String {
        let mut p = Picture::new(300.0, 100.0);
        p.text((20.0, 60.0), &Text::math(text), 30.0, INK, Anchor::Start);
        p.svg()
    }

    /// Dark pixels of a PNG, left of and beyond a column.
    fn dark(svg: &str) -> usize {
        let png = convert::png(svg).unwrap();
        let pixels = resvg::tiny_skia::Pixmap::decode_png(&png).unwrap();
        assert_eq!((pixels.width(), pixels.height()), (600, 200));
        pixels.pixels().iter().filter(|p| p.red() < 100).count()
    }

    /// Letters are drawn without any font of the system, and every character that figures use has a glyph of its own.
    #[test]
    fn text_needs_no_installed_font() {
        assert_eq!(dark(&sample("")), 0);
        assert!(dark(&sample("*F* = 1")) > 500);
        assert_ne!(convert::png(&sample("*F*")).unwrap(), convert::png(&sample("F")).unwrap(), "symbols are italic");
        // a character without glyph is drawn as the box of U+FFFF
        let unknown = convert::png(&sample("\u{e000}")).unwrap();
        for c in "−±≥ΘΔ²·…–0123456789FEKVSTrsnβ()/,=×".chars() {
            for text in [c.to_string(), format!("*{c}*")] {
                assert_ne!(convert::png(&sample(&text)).unwrap(), unknown, "{text}");
                assert!(dark(&sample(&text)) > 10, "{text}");
            }
        }
    }

    #[test]
    fn endings_choose_the_format() {
        let folder = tempfile::tempdir().unwrap();
        for (name, start) in [("a.svg", "<svg"), ("a.png", "\u{fffd}PNG"), ("a.PDF", "%PDF-")] {
            let path = folder.path().join(name);
            check(&path).unwrap();
            write(&path, sample("*F*")).unwrap();
            let bytes = std::fs::read(&path).unwrap();
            assert!(String::from_utf8_lossy(&bytes).starts_with(start), "{name}");
            assert!(bytes.len() > 300);
        }
        for name in ["a.jpg", "a", "svg"] {
            let e = check(&folder.path().join(name)).unwrap_err();
            assert!(matches!(e, Error::User(_)) && e.to_string().contains(".png or .pdf"), "{e}");
        }
        assert!(matches!(check(&folder.path().join("no/a.svg")).unwrap_err(), Error::Io(_)));
    }
}
