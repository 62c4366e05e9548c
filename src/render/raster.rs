//! Pictures in pixels: from SVG, with DejaVu Sans, which is part of the program.

use std::io::Cursor;
use std::sync::Arc;

use icy_sixel::{EncodeOptions, SixelImage};
use image::{DynamicImage, ImageFormat, RgbImage};
use resvg::tiny_skia::{Color, Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

/// Largest picture, in pixels on each side and in all.
const SIDE: f64 = 20_000.0;
const PIXELS: f64 = 60e6;

/// Draws an SVG on white; a unit of it becomes `scale` pixels.
///
/// # Errors
/// In words, if the picture would be too large.
pub fn draw(svg: &str, scale: f64) -> Result<RgbImage, String> {
    let tree = read(svg)?;
    let size =
        [tree.size().width(), tree.size().height()].map(|side| (f64::from(side) * scale).ceil());
    let [width, height] = size;
    if width > SIDE || height > SIDE || width * height > PIXELS {
        return Err(format!(
            "a picture of {width} by {height} pixels is too large: write FILE.svg"
        ));
    }
    let mut pixels = Pixmap::new(width.max(1.0) as u32, height.max(1.0) as u32)
        .ok_or_else(|| "there is no memory for the picture".to_owned())?;
    pixels.fill(Color::WHITE);
    let scale = Transform::from_scale(scale as f32, scale as f32);
    resvg::render(&tree, scale, &mut pixels.as_mut());
    let colours = pixels.pixels().iter();
    // Nothing is transparent on white.
    let bytes = colours.flat_map(|pixel| [pixel.red(), pixel.green(), pixel.blue()]);
    RgbImage::from_raw(pixels.width(), pixels.height(), bytes.collect())
        .ok_or_else(|| "the picture has another size than it should".to_owned())
}

/// Width of an SVG in its own units.
///
/// # Errors
/// In words, if it is none.
pub fn width(svg: &str) -> Result<f64, String> {
    Ok(f64::from(read(svg)?.size().width()))
}

fn read(svg: &str) -> Result<Tree, String> {
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(dejavu::sans::regular().to_vec());
    fonts.load_font_data(dejavu::sans::bold().to_vec());
    fonts.set_sans_serif_family("DejaVu Sans");
    let options = Options {
        font_family: "DejaVu Sans".to_owned(),
        fontdb: Arc::new(fonts),
        ..Options::default()
    };
    Tree::from_str(svg, &options).map_err(|error| error.to_string())
}

/// The content of a file of this format.
///
/// # Errors
/// In words, if the format cannot take it.
pub fn file(picture: RgbImage, format: ImageFormat) -> Result<Vec<u8>, String> {
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::from(picture)
        .write_to(&mut bytes, format)
        .map_err(|error| error.to_string())?;
    Ok(bytes.into_inner())
}

/// The sequence that draws it in a terminal.
///
/// # Errors
/// In words, if the encoder cannot take it.
pub fn sixel(picture: RgbImage) -> Result<String, String> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let rgba = DynamicImage::from(picture).into_rgba8().into_raw();
    // A drawing has few colours: mixing them would only blur it.
    let options = EncodeOptions {
        diffusion: 0.0,
        ..EncodeOptions::default()
    };
    SixelImage::try_from_rgba(rgba, width, height)
        .and_then(|image| image.encode_with(&options))
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SVG: &str = "<svg xmlns='http://www.w3.org/2000/svg' width='60' height='20'>\
        <rect width='20' height='20' fill='#ff0000'/><text x='22' y='16' font-size='18'>W</text></svg>";

    /// Red at the left, white at the right, and ink where the letter is.
    fn check(picture: &RgbImage, tolerance: u8) {
        assert_eq!(picture.dimensions(), (120, 40));
        let near = |x, y, expected: [u8; 3]| {
            let got = picture.get_pixel(x, y).0;
            let close = got
                .iter()
                .zip(expected)
                .all(|(a, b)| a.abs_diff(b) <= tolerance);
            assert!(close, "{x},{y}: {got:?}");
        };
        near(10, 20, [255, 0, 0]);
        near(118, 38, [255, 255, 255]);
        let dark = |x| (0..40).any(|y| picture.get_pixel(x, y).0.iter().all(|part| *part < 80));
        assert!((46..76).any(dark), "no letter: the font is missing");
    }

    #[test]
    fn every_format_can_be_read_again() {
        for (format, tolerance) in [
            (ImageFormat::Png, 0),
            (ImageFormat::Bmp, 0),
            (ImageFormat::Jpeg, 60),
        ] {
            let bytes = file(draw(SVG, 2.0).unwrap(), format).unwrap();
            assert_eq!(image::guess_format(&bytes).unwrap(), format);
            let read = image::load_from_memory(&bytes).unwrap().into_rgb8();
            check(&read, tolerance);
        }
    }

    #[test]
    fn sixel_can_be_read_again() {
        let text = sixel(draw(SVG, 2.0).unwrap()).unwrap();
        assert!(
            text.starts_with("\x1bP") && text.ends_with("\x1b\\"),
            "{text:?}"
        );
        let read = SixelImage::decode(text.as_bytes()).unwrap();
        // Rows come in sixes.
        assert_eq!((read.width, read.height), (120, 42));
        let colours = read
            .pixels
            .chunks(4)
            .take(120 * 40)
            .flat_map(|p| [p[0], p[1], p[2]]);
        check(&RgbImage::from_raw(120, 40, colours.collect()).unwrap(), 40);
    }

    #[test]
    fn a_picture_that_is_too_large_is_refused() {
        let told = draw(SVG, 1e5).unwrap_err();
        assert!(told.contains("write FILE.svg"), "{told}");
    }
}
