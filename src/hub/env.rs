//! The settings that Hugging Face's tools share.

use std::ffi::OsString;
use std::path::PathBuf;

use super::Hub;
use super::error::HubError;

const ENDPOINT: &str = "https://huggingface.co";

impl Hub {
    /// As the environment says, by the names that Hugging Face's own tools go by.
    ///
    /// | what | first of |
    /// | --- | --- |
    /// | cache | `HF_HUB_CACHE`, `HUGGINGFACE_HUB_CACHE`, `HF_HOME/hub`, `XDG_CACHE_HOME/huggingface/hub`, `~/.cache/huggingface/hub` |
    /// | token | `HF_TOKEN`, `HUGGING_FACE_HUB_TOKEN`, the file `HF_TOKEN_PATH`, the file `HF_HOME/token` |
    /// | endpoint | `HF_ENDPOINT`, `https://huggingface.co` |
    /// | offline | `HF_HUB_OFFLINE` or `TRANSFORMERS_OFFLINE` is `1`, `true`, `yes` or `on` |
    ///
    /// # Errors
    /// Nothing says where the cache is.
    pub fn from_env() -> Result<Self, HubError> {
        Self::from_variables(&|name| std::env::var_os(name), std::env::home_dir())
    }

    fn from_variables(
        variable: &dyn Fn(&str) -> Option<OsString>,
        user: Option<PathBuf>,
    ) -> Result<Self, HubError> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let path = |name: &str| set(name).map(PathBuf::from);
        let text = |name: &str| set(name).and_then(|value| value.into_string().ok());
        let home = path("HF_HOME").or_else(|| {
            let caches = path("XDG_CACHE_HOME").or_else(|| user.map(|user| user.join(".cache")));
            Some(caches?.join("huggingface"))
        });
        let cache = path("HF_HUB_CACHE")
            .or_else(|| path("HUGGINGFACE_HUB_CACHE"))
            .or_else(|| Some(home.as_ref()?.join("hub")))
            .ok_or(HubError::NoCache)?;
        let token = text("HF_TOKEN")
            .or_else(|| text("HUGGING_FACE_HUB_TOKEN"))
            .or_else(|| {
                let file = path("HF_TOKEN_PATH").or_else(|| Some(home.as_ref()?.join("token")))?;
                std::fs::read_to_string(file).ok()
            });
        let yes = |name: &str| {
            let word = text(name).unwrap_or_default().to_lowercase();
            ["1", "true", "yes", "on"].contains(&word.as_str())
        };
        Ok(Self {
            endpoint: text("HF_ENDPOINT").unwrap_or_else(|| ENDPOINT.to_owned()),
            cache,
            token: token
                .map(|token| token.trim().to_owned())
                .filter(|token| !token.is_empty()),
            offline: yes("HF_HUB_OFFLINE") || yes("TRANSFORMERS_OFFLINE"),
        }
        .without_slash())
    }

    fn without_slash(mut self) -> Self {
        self.endpoint
            .truncate(self.endpoint.trim_end_matches('/').len());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(variables: &[(&str, &str)]) -> Hub {
        let variable = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| OsString::from(value))
        };
        Hub::from_variables(&variable, Some("/home/ada".into())).expect("a home")
    }

    #[test]
    fn cache_endpoint_and_offline_are_those_of_hugging_faces_tools() {
        let plain = hub(&[]);
        assert_eq!(
            plain.cache,
            PathBuf::from("/home/ada/.cache/huggingface/hub")
        );
        assert_eq!(plain.endpoint, "https://huggingface.co");
        assert!(!plain.offline);
        let cache = |variables: &[(&str, &str)]| hub(variables).cache;
        let xdg = ("XDG_CACHE_HOME", "/xdg");
        let home = ("HF_HOME", "/hf");
        assert_eq!(cache(&[xdg]), PathBuf::from("/xdg/huggingface/hub"));
        assert_eq!(cache(&[xdg, home]), PathBuf::from("/hf/hub"));
        assert_eq!(
            cache(&[home, ("HF_HUB_CACHE", "/big")]),
            PathBuf::from("/big")
        );
        assert_eq!(
            hub(&[("HF_ENDPOINT", "http://mirror/")]).endpoint,
            "http://mirror"
        );
        for (value, offline) in [("1", true), ("True", true), ("0", false), ("", false)] {
            assert_eq!(
                hub(&[("HF_HUB_OFFLINE", value)]).offline,
                offline,
                "{value}"
            );
        }
    }

    #[test]
    fn the_token_is_the_variables_or_else_the_files_and_never_shown() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = folder.path().to_str().expect("text");
        assert_eq!(hub(&[("HF_HOME", home)]).token, None);
        std::fs::write(folder.path().join("token"), "hf_file\n").expect("written");
        let from_file = hub(&[("HF_HOME", home)]);
        assert_eq!(from_file.token.as_deref(), Some("hf_file"));
        assert!(!format!("{from_file:?}").contains("hf_file"));
        let both = hub(&[("HF_HOME", home), ("HF_TOKEN", "hf_variable")]);
        assert_eq!(both.token.as_deref(), Some("hf_variable"));
    }
}
