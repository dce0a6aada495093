//! Which endpoint a command asks, and what it may spend there.

use std::convert::Infallible;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use menagerie_core::toml;
use serde::Deserialize;

use super::error::CliError;
use crate::endpoint::{ApiKey, Budget, EndpointConfig, EndpointError, Prices, TokenLimit};

/// Which endpoint to ask, and what may be spent there.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Endpoint")]
pub(super) struct EndpointArgs {
    /// TOML with any of these options: `base_url = "…"`, `api_key_file = "…"`, `price_in = 2.5`, ….
    /// An option given here wins.
    #[arg(long, value_name = "FILE")]
    endpoint: Option<PathBuf>,
    /// The key. Others on this machine can see it while the command runs: better put it in a file,
    /// or in `OPENAI_API_KEY`, which is the default.
    #[arg(long, value_name = "KEY", value_parser = Secret::parse, conflicts_with = "api_key_file")]
    api_key: Option<Secret>,
    #[command(flatten)]
    settings: Settings,
    /// Stop before the replies have taken more tokens, those of the requests included.
    #[arg(long, value_name = "N")]
    max_tokens_total: Option<u64>,
    /// Stop before the replies have cost more, in the currency of the prices.
    #[arg(long, value_name = "AMOUNT")]
    max_money: Option<f64>,
}

/// What both the command line and the file of `--endpoint` may state.
#[derive(Debug, Clone, Default, clap::Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// What stands before `/chat/completions`: `http://localhost:8000/v1`. Default:
    /// `OPENAI_BASE_URL`.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// The model's name at the endpoint. Default: `OPENAI_MODEL`.
    #[arg(id = "endpoint_model", long = "model", value_name = "NAME")]
    model: Option<String>,
    /// A file that holds the key and nothing else.
    #[arg(long, value_name = "FILE")]
    api_key_file: Option<PathBuf>,
    /// Send the key over plain http to another machine too.
    #[arg(long)]
    plain_http: bool,
    /// What the longest reply is called: `max_tokens`, the default, or `max_completion_tokens` for
    /// OpenAI's newer models.
    #[arg(long, value_name = "PARAMETER", value_parser = token_limit)]
    token_limit: Option<TokenLimit>,
    /// Requests at the same time. Default: 8.
    #[arg(long, value_name = "N")]
    in_flight: Option<usize>,
    /// Longest time for a reply, in seconds. Default: 300.
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<f64>,
    /// How often a request is sent again after a failure that may pass. Default: 8.
    #[arg(long, value_name = "N")]
    retries: Option<u32>,
    /// Longest wait before the first retry, in seconds; it doubles each time, up to a minute.
    /// Default: 1.
    #[arg(long, value_name = "SECONDS")]
    backoff: Option<f64>,
    /// Price of a million tokens of requests.
    #[arg(long, value_name = "AMOUNT")]
    price_in: Option<f64>,
    /// Price of a million tokens of replies.
    #[arg(long, value_name = "AMOUNT")]
    price_out: Option<f64>,
}

impl EndpointArgs {
    /// Whether the command line or the file of `--endpoint` is to state a model.
    pub(super) fn names_model(&self) -> bool {
        self.settings.model.is_some() || self.endpoint.is_some()
    }

    /// The endpoint's settings, and what may be spent: of what is given here, in the file of
    /// `--endpoint` and in the environment, the first counts.
    pub(super) fn settings(&self) -> Result<(EndpointConfig, Budget), CliError> {
        self.resolve(&|name| std::env::var(name).ok())
    }

    /// The same for a command that sends nothing, and so needs no base URL.
    pub(super) fn offline(&self) -> Result<(EndpointConfig, Budget), CliError> {
        let mut offline = self.clone();
        let nowhere = || "http://localhost".to_owned();
        offline.settings.base_url.get_or_insert_with(nowhere);
        offline.settings()
    }

    /// What tokens cost, for a command that needs no endpoint.
    pub(super) fn prices(&self) -> Result<Option<Prices>, CliError> {
        let mut offline = self.clone();
        offline
            .settings
            .model
            .get_or_insert_with(|| "any".to_owned());
        Ok(offline.offline()?.1.prices)
    }

    fn resolve(
        &self,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(EndpointConfig, Budget), CliError> {
        let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let needed = |stated: Option<String>, option, variable| {
            let stated = stated.or_else(|| set(variable));
            stated.ok_or(CliError::NotStated { option, variable })
        };
        let file = self.endpoint.as_deref().map(Settings::read).transpose()?;
        let settings = self.settings.clone().or(file.unwrap_or_default());
        let base_url = needed(settings.base_url, "--base-url", "OPENAI_BASE_URL")?;
        let model = needed(settings.model, "--model", "OPENAI_MODEL")?;
        let mut config = EndpointConfig::new(base_url, model);
        config.key = match (&self.api_key, &settings.api_key_file) {
            (Some(Secret(key)), _) => Some(ApiKey::new(key)?),
            (None, Some(path)) => Some(ApiKey::from_file(path)?),
            (None, None) => {
                let key = set("OPENAI_API_KEY");
                key.as_deref().map(ApiKey::new).transpose()?
            }
        };
        config.plain_http = settings.plain_http;
        config.token_limit = settings.token_limit.unwrap_or(config.token_limit);
        config.in_flight = settings.in_flight.unwrap_or(config.in_flight);
        config.retries = settings.retries.unwrap_or(config.retries);
        config.timeout = seconds("--timeout", settings.timeout, config.timeout)?;
        config.backoff = seconds("--backoff", settings.backoff, config.backoff)?;
        let prices = (settings.price_in, settings.price_out);
        let budget = Budget {
            tokens: self.max_tokens_total,
            money: self.max_money,
            prices: match prices {
                (Some(input), Some(output)) => Some(Prices { input, output }),
                (None, None) => None,
                _ => return Err(EndpointError::OnePrice.into()),
            },
        };
        budget.check()?;
        Ok((config, budget))
    }
}

impl Settings {
    fn read(path: &Path) -> Result<Self, CliError> {
        let text = fs::read_to_string(path).map_err(|source| CliError::Read {
            path: path.to_owned(),
            source,
        })?;
        let settings: Result<Self, _> = toml::from_str(&text);
        let mut settings = settings.map_err(|error| CliError::EndpointFile {
            path: path.to_owned(),
            line: error.span().map_or(1, |span| line_of(&text, span.start)),
            // The error's own text quotes the line, in which someone may have put a key.
            reason: error.message().to_owned(),
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let key_file = settings.api_key_file.take();
        settings.api_key_file = key_file.map(|file| folder.join(file));
        Ok(settings)
    }

    fn or(self, other: Self) -> Self {
        Self {
            base_url: self.base_url.or(other.base_url),
            model: self.model.or(other.model),
            api_key_file: self.api_key_file.or(other.api_key_file),
            plain_http: self.plain_http || other.plain_http,
            token_limit: self.token_limit.or(other.token_limit),
            in_flight: self.in_flight.or(other.in_flight),
            timeout: self.timeout.or(other.timeout),
            retries: self.retries.or(other.retries),
            backoff: self.backoff.or(other.backoff),
            price_in: self.price_in.or(other.price_in),
            price_out: self.price_out.or(other.price_out),
        }
    }
}

/// The line of a byte, from 1.
fn line_of(text: &str, byte: usize) -> usize {
    let before = text.as_bytes().iter().take(byte);
    1 + before.filter(|byte| **byte == b'\n').count()
}

fn seconds(
    name: &'static str,
    stated: Option<f64>,
    default: Duration,
) -> Result<Duration, EndpointError> {
    let stated = stated.map(Duration::try_from_secs_f64).transpose();
    let range = |_| EndpointError::Range {
        name,
        allowed: "a number of seconds",
    };
    Ok(stated.map_err(range)?.unwrap_or(default))
}

fn token_limit(text: &str) -> Result<TokenLimit, String> {
    let all = [TokenLimit::MaxTokens, TokenLimit::MaxCompletionTokens];
    let found = all.into_iter().find(|limit| limit.name() == text);
    found.ok_or_else(|| format!("it is `{}` or `{}`", all[0].name(), all[1].name()))
}

/// A key as it was typed; no message shows it.
#[derive(Clone)]
struct Secret(String);

impl Secret {
    /// Never fails, because clap quotes what it refuses.
    #[allow(clippy::unnecessary_wraps, reason = "clap's form of a parser")]
    fn parse(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[api key]")
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        endpoint: EndpointArgs,
    }

    const ENVIRONMENT: [(&str, &str); 3] = [
        ("OPENAI_BASE_URL", "http://localhost:1/v1"),
        ("OPENAI_MODEL", "of-environment"),
        ("OPENAI_API_KEY", "sk-of-environment"),
    ];

    fn settings(
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<(EndpointConfig, Budget), String> {
        let all = ["menagerie"].iter().chain(arguments);
        let command = Command::try_parse_from(all).map_err(|error| error.to_string())?;
        let variable = |name: &str| {
            let found = environment.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let resolved = command.endpoint.resolve(&variable);
        resolved.map_err(|error| error.to_string())
    }

    #[test]
    fn an_option_wins_over_the_file_and_the_file_over_the_environment() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("teacher.toml");
        fs::write(folder.path().join("key"), "sk-of-file\n").expect("written");
        let text = "model = \"of-file\"\napi_key_file = \"key\"\ntimeout = 1.5\nprice_in = 2.5\nprice_out = 10\n";
        fs::write(&file, text).expect("written");
        let file = file.to_str().expect("text");
        let key = |text| Some(ApiKey::new(text).expect("a key"));

        let (config, budget) = settings(&[], &ENVIRONMENT).expect("all is stated");
        assert_eq!(config.base_url, "http://localhost:1/v1");
        assert_eq!(config.model, "of-environment");
        assert_eq!(config.key, key("sk-of-environment"));
        assert_eq!(budget, Budget::default());

        let arguments = ["--endpoint", file, "--max-money", "5", "--retries", "2"];
        let (config, budget) = settings(&arguments, &ENVIRONMENT).expect("all is stated");
        assert_eq!(config.model, "of-file");
        assert_eq!(config.key, key("sk-of-file"));
        assert_eq!(config.timeout, Duration::from_millis(1500));
        assert_eq!(config.retries, 2);
        let prices = Prices {
            input: 2.5,
            output: 10.0,
        };
        assert_eq!((budget.money, budget.prices), (Some(5.0), Some(prices)));

        let arguments = [
            "--endpoint",
            file,
            "--model",
            "given",
            "--api-key",
            "sk-given",
        ];
        let (config, _) = settings(&arguments, &ENVIRONMENT).expect("all is stated");
        assert_eq!(
            (config.model.as_str(), config.key),
            ("given", key("sk-given"))
        );
    }

    #[test]
    fn what_is_not_stated_or_wrong_is_named_and_no_key_is_shown() {
        let says = |arguments: &[&str], environment: &[(&str, &str)], words: &[&str]| {
            let error = settings(arguments, environment).expect_err("a mistake");
            for word in words {
                assert!(error.contains(word), "{error}");
            }
            assert!(!error.contains("sk-"), "{error}");
        };
        says(
            &[],
            &[("OPENAI_BASE_URL", " ")],
            &["--base-url", "OPENAI_BASE_URL"],
        );
        says(&[], &ENVIRONMENT[..1], &["--model", "OPENAI_MODEL"]);
        says(&["--api-key", "sk-a b"], &ENVIRONMENT, &["API key"]);
        says(
            &["--api-key", "sk-a", "--api-key-file", "f"],
            &ENVIRONMENT,
            &["cannot be used with"],
        );
        says(
            &["--api-key-file", "/nowhere/key"],
            &ENVIRONMENT,
            &["/nowhere/key"],
        );
        says(
            &["--max-money", "5"],
            &ENVIRONMENT,
            &["--price-in", "--price-out"],
        );
        says(&["--price-in", "5"], &ENVIRONMENT, &["--price-out"]);
        says(
            &["--timeout", "nan"],
            &ENVIRONMENT,
            &["--timeout", "seconds"],
        );
        says(
            &["--token-limit", "tokens"],
            &ENVIRONMENT,
            &["max_completion_tokens"],
        );
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("teacher.toml");
        fs::write(&file, "model = \"m\"\napi_key = \"sk-in-file\"\n").expect("written");
        let arguments = ["--endpoint", file.to_str().expect("text")];
        says(
            &arguments,
            &ENVIRONMENT,
            &["teacher.toml:2:", "`api_key`", "api_key_file"],
        );
    }
}
