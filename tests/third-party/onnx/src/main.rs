//! Menagerie with an encoder out of an ONNX file.

use onnx_encoder as _;

fn main() {
    menagerie::cli::main()
}
