//! Projectors of Menagerie, registered at link time.

mod linear;
mod mlp;

pub use linear::{LinearConfig, LinearProjector};
pub use mlp::{MlpConfig, MlpProjector};

#[cfg(test)]
mod tests {
    use menagerie_core::testing::check_projector;

    #[test]
    fn linear_keeps_the_contract() {
        check_projector("linear");
    }

    #[test]
    fn mlp_keeps_the_contract() {
        check_projector("mlp");
    }
}
