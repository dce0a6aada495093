//! The judge's flags.

use crate::bench::Judge;
use crate::cli::endpoint::EndpointArgs;
use crate::cli::error::CliError;
use crate::endpoint::Endpoint;

/// Who judges the answers, for benchmarks that need it.
#[derive(Debug, Clone, clap::Args)]
#[command(mut_arg("endpoint_model", |arg| arg.long("judge-model").help(
    "The judge, by its pinned name: gpt-4-0613. Another version would be another judge"
)))]
pub(super) struct JudgeArgs {
    #[command(flatten)]
    endpoint: EndpointArgs,
}

impl JudgeArgs {
    /// The judge, if one is named.
    pub(super) fn judge(&self) -> Result<Option<Judge>, CliError> {
        if !self.endpoint.names_model() {
            return Ok(None);
        }
        let (config, budget) = self.endpoint.settings()?;
        let endpoint = Endpoint::new(config)?;
        Ok(Some(Judge { endpoint, budget }))
    }
}
