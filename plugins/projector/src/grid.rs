//! The grid that an encoder's tokens lie on, and averages over it.

use burn::tensor::Tensor;
use burn::tensor::module::adaptive_avg_pool2d;
use menagerie_core::{BuildError, EncoderSpec};

/// Rows and columns of the tokens.
///
/// # Errors
/// Tokens that lie on no grid, or a class token among them.
pub(crate) fn grid(plugin: &str, vision: &EncoderSpec) -> Result<[usize; 2], BuildError> {
    let refuse = |message: &str| Err(BuildError::invalid(plugin, "type", message));
    match vision.grid {
        None => refuse(
            "it needs tokens that lie on a grid, which the encoder's do not; `linear`, `mlp`, \
             `resampler` and `qformer` need none",
        ),
        Some(_) if vision.has_class_token => refuse(
            "it needs tokens that lie on a grid, and the encoder keeps a class token, which has \
             no place there; drop it with `select = \"patch\"` in [vision]",
        ),
        Some(grid) => Ok(grid),
    }
}

/// Averages of a grid's windows.
///
/// A window may overlap the next by a row or a column where one grid's sides are no multiples of the
/// other's, as in PyTorch's `AdaptiveAvgPool2d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Average {
    from: [usize; 2],
    to: [usize; 2],
}

impl Average {
    /// The encoder's grid as one of `side` rows and columns, which is option `key` of `plugin`.
    ///
    /// # Errors
    /// No grid, or one with fewer rows or columns.
    pub(crate) fn square(
        plugin: &str,
        key: &str,
        side: usize,
        vision: &EncoderSpec,
    ) -> Result<Self, BuildError> {
        let from @ [rows, columns] = grid(plugin, vision)?;
        let most = rows.min(columns);
        if !(1..=most).contains(&side) {
            let message = format!(
                "a grid of {side} x {side} tokens cannot be made of the encoder's {rows} x \
                 {columns}; a side is from 1 to {most}"
            );
            return Err(BuildError::invalid(plugin, key, message));
        }
        let to = [side; 2];
        Ok(Self { from, to })
    }

    /// Windows of `window` rows and columns, which is option `key` of `plugin`, side by side.
    ///
    /// # Errors
    /// No grid, or one that such windows do not fill.
    pub(crate) fn windows(
        plugin: &str,
        key: &str,
        window: usize,
        vision: &EncoderSpec,
    ) -> Result<Self, BuildError> {
        let from = grid(plugin, vision)?;
        let to = fold(plugin, key, window, from)?;
        Ok(Self { from, to })
    }

    /// Tokens that are left.
    pub(crate) fn tokens(self) -> usize {
        self.to.iter().product()
    }

    /// Rows and columns of the encoder's grid.
    pub(crate) fn from(self) -> [usize; 2] {
        self.from
    }

    /// Rows and columns that are left.
    pub(crate) fn to(self) -> [usize; 2] {
        self.to
    }

    /// `[batch, rows · columns, feature]` -> the same of the smaller grid
    pub(crate) fn forward(self, x: Tensor<3>) -> Tensor<3> {
        tokens(adaptive_avg_pool2d(image(x, self.from), self.to))
    }
}

/// The grid of the squares with `side` rows and columns that `grid` consists of; `side` is option
/// `key` of `plugin`.
///
/// # Errors
/// Squares that do not fill it.
pub(crate) fn fold(
    plugin: &str,
    key: &str,
    side: usize,
    grid: [usize; 2],
) -> Result<[usize; 2], BuildError> {
    let [rows, columns] = grid;
    BuildError::check_size(plugin, key, side, rows.min(columns))?;
    if grid.iter().all(|length| length.is_multiple_of(side)) {
        return Ok(grid.map(|length| length / side));
    }
    let fits = (1..=rows.min(columns))
        .filter(|side| grid.iter().all(|length| length.is_multiple_of(*side)))
        .map(|side| side.to_string());
    let fits: Vec<String> = fits.collect();
    let message = format!(
        "squares of {side} x {side} tokens do not fill the encoder's grid of {rows} x {columns}; \
         these do: {}",
        fits.join(", ")
    );
    Err(BuildError::invalid(plugin, key, message))
}

/// `[batch, rows · columns, feature]` -> `[batch, feature, rows, columns]`
pub(crate) fn image(x: Tensor<3>, [rows, columns]: [usize; 2]) -> Tensor<4> {
    let [batch, _, features] = x.dims();
    x.swap_dims(1, 2).reshape([batch, features, rows, columns])
}

/// `[batch, feature, rows, columns]` -> `[batch, rows · columns, feature]`
pub(crate) fn tokens(image: Tensor<4>) -> Tensor<3> {
    let [batch, features, rows, columns] = image.dims();
    image
        .reshape([batch, features, rows * columns])
        .swap_dims(1, 2)
}
