//! How a component's tensors are called inside a whole model's files.

use std::borrow::Cow;

use super::Publisher;
use crate::component::Component;
use crate::newline::IMAGE_NEWLINE;

/// One way in which whole models name a component's tensors: keys that begin with `own` begin with
/// `joined` there, all others stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Joint {
    /// The component, or nothing for a component that lies alone in its files.
    component: Option<Component>,
    own: &'static str,
    joined: &'static str,
}

impl Joint {
    /// A component alone in its files, and a decoder in the original LLaVA's layout.
    pub const ALONE: Self = Self {
        component: None,
        own: "",
        joined: "",
    };

    const fn new(component: Component, own: &'static str, joined: &'static str) -> Self {
        Self {
            component: Some(component),
            own,
            joined,
        }
    }

    /// In Burn's own files: the component's name before a parameter's path.
    #[must_use]
    pub const fn path(component: Component) -> Self {
        match component {
            Component::Vision => Self::new(component, "", "vision."),
            Component::Projector => Self::new(component, "", "projector."),
            Component::Llm => Self::new(component, "", "llm."),
        }
    }

    /// The way in which `publisher` writes whole models.
    #[must_use]
    pub fn written(component: Component, publisher: Publisher) -> Self {
        let joined = match (publisher, component) {
            (Publisher::HuggingFace, Component::Vision) => "vision_tower.",
            (Publisher::HuggingFace, Component::Projector) => "multi_modal_projector.",
            (Publisher::HuggingFace, Component::Llm) => "language_model.",
            (Publisher::Original, Component::Vision) => "model.vision_tower.vision_tower.",
            (Publisher::Original, Component::Projector) => "model.mm_projector.",
            (Publisher::Burn, component) => return Self::path(component),
            _ => return Self::ALONE,
        };
        Self::new(component, "", joined)
    }

    /// All ways in which a component's tensors are found in files, alone first.
    pub fn of(component: Component) -> impl Iterator<Item = Self> {
        let joined = JOINTS
            .into_iter()
            .filter(move |joint| joint.component == Some(component));
        std::iter::once(Self::ALONE).chain(joined)
    }

    /// The name in the whole model of the component's own `key`.
    #[must_use]
    pub fn name(&self, key: &str) -> String {
        if key == IMAGE_NEWLINE {
            return self.newline().to_owned();
        }
        match key.strip_prefix(self.own) {
            Some(rest) => format!("{}{rest}", self.joined),
            None => key.to_owned(),
        }
    }

    /// The component's own key of a name in the whole model; nothing if it is another component's.
    #[must_use]
    pub fn key<'n>(&self, name: &'n str) -> Option<Cow<'n, str>> {
        let holds_newline = matches!(self.component, None | Some(Component::Projector));
        if name == self.newline() && holds_newline {
            return Some(IMAGE_NEWLINE.into());
        }
        if let Some(rest) = name
            .strip_prefix(self.joined)
            .filter(|_| !self.joined.is_empty())
        {
            return Some(format!("{}{rest}", self.own).into());
        }
        let may_stay = self.joined.is_empty() || !self.own.is_empty();
        let is_free = may_stay && owner(name).is_none();
        (is_free && (self.own.is_empty() || !name.starts_with(self.own))).then_some(name.into())
    }
}

impl Joint {
    /// The name of the vector that ends a row: it lies beside the projector, not in it.
    fn newline(&self) -> &'static str {
        match self.joined {
            "projector." => "projector.image_newline",
            joined if joined.starts_with("model.") => MODEL_NEWLINE,
            _ => IMAGE_NEWLINE,
        }
    }
}

/// The vector that ends a row as the original LLaVA calls it, and transformers in memory.
const MODEL_NEWLINE: &str = "model.image_newline";

/// The ways of whole models: the original LLaVA's; Hugging Face's files; transformers' names in
/// memory since 4.52, which some files have too.
const JOINTS: [Joint; 9] = [
    Joint::new(Component::Vision, "", "model.vision_tower.vision_tower."),
    Joint::new(Component::Vision, "", "vision_tower."),
    Joint::new(Component::Vision, "", "model.vision_tower."),
    Joint::new(Component::Projector, "", "model.mm_projector."),
    Joint::new(Component::Projector, "", "mm_projector."),
    Joint::new(Component::Projector, "", "multi_modal_projector."),
    Joint::new(Component::Projector, "", "model.multi_modal_projector."),
    Joint::new(Component::Llm, "", "language_model."),
    Joint::new(Component::Llm, "model.", "model.language_model."),
];

/// The component whose tensors begin as `name` does in whole models.
#[must_use]
pub fn owner(name: &str) -> Option<Component> {
    if [IMAGE_NEWLINE, MODEL_NEWLINE].contains(&name) {
        return Some(Component::Projector);
    }
    let mut joints = JOINTS.iter();
    joints
        .find(|joint| name.starts_with(joint.joined))?
        .component
}

/// How files that `hold` a name spell the tensor called `name`: the same, or as another layout of
/// whole models has it.
pub fn respell(name: &str, hold: impl Fn(&str) -> bool) -> Option<String> {
    if hold(name) {
        return Some(name.to_owned());
    }
    let spellings = Component::ALL.into_iter().flat_map(|component| {
        let keys = Joint::of(component).filter_map(move |joint| joint.key(name));
        keys.flat_map(move |key| {
            let names = Joint::of(component).map(|joint| joint.name(&key));
            names.collect::<Vec<_>>()
        })
    });
    let mut spellings = spellings.into_iter();
    spellings.find(|spelling| hold(spelling))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ways(component: Component, key: &str) -> Vec<String> {
        Joint::of(component).map(|joint| joint.name(key)).collect()
    }

    #[test]
    fn names_are_those_of_the_three_layouts() {
        assert_eq!(
            ways(Component::Llm, "model.norm.weight"),
            [
                "model.norm.weight",
                "language_model.model.norm.weight",
                "model.language_model.norm.weight"
            ]
        );
        assert_eq!(
            ways(Component::Llm, "lm_head.weight"),
            [
                "lm_head.weight",
                "language_model.lm_head.weight",
                "lm_head.weight"
            ]
        );
        let vision = ways(Component::Vision, "vision_model.x");
        assert!(vision.contains(&"model.vision_tower.vision_tower.vision_model.x".to_owned()));
    }

    #[test]
    fn a_name_comes_back_as_its_key_and_others_do_not() {
        for component in Component::ALL {
            for joint in Joint::of(component) {
                for key in ["model.layers.0.x", "lm_head.weight", "0.weight"] {
                    let name = joint.name(key);
                    assert_eq!(joint.key(&name).as_deref(), Some(key), "{joint:?}, {name}");
                }
            }
        }
        for joint in Joint::of(Component::Projector) {
            let name = joint.name(IMAGE_NEWLINE);
            assert_eq!(joint.key(&name).as_deref(), Some(IMAGE_NEWLINE), "{name}");
            assert_eq!(owner(&name), Some(Component::Projector));
        }
        for joint in Joint::of(Component::Llm) {
            assert_eq!(joint.key("model.mm_projector.0.weight"), None);
            assert_eq!(joint.key("vision_tower.x"), None);
        }
    }
}
