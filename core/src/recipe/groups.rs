//! Which stage trains which part of the model.

use serde::Serialize;

use super::Recipe;
use super::optimizer::{Optimizer, ParameterOptions};
use crate::lora::is_factor;
use crate::parameters::ParameterInfo;

/// A part of the model whose parameters learn in the same stages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ParameterGroup {
    /// As `freeze` takes it: `vision.class_embedding`, `llm.layers.0..32`.
    pub name: String,
    /// Numbers it holds.
    pub parameters: usize,
    /// Whether it is the adapter over the part of that name.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_adapter: bool,
    /// The stages in which all of it learns.
    pub trained_in: Vec<String>,
    /// The stages in which some of it learns and some does not.
    pub partly_trained_in: Vec<String>,
}

impl Recipe {
    /// The parts of the model in its own order, numbered neighbours that learn in the same stages
    /// joined into one, then its adapters likewise.
    #[must_use]
    pub fn parameter_groups(&self, parameters: &[ParameterInfo]) -> Vec<ParameterGroup> {
        let parameters = parameters.iter().cloned();
        let (adapters, own): (Vec<_>, Vec<_>) = parameters.partition(|info| is_factor(&info.path));
        [own, adapters]
            .iter()
            .flat_map(|parameters| self.groups(parameters))
            .collect()
    }

    fn groups(&self, parameters: &[ParameterInfo]) -> Vec<ParameterGroup> {
        let mut groups: Vec<Numbered> = Vec::new();
        let mut rest = parameters;
        while let Some(first) = rest.first() {
            let part = part(&first.path);
            let same = rest
                .iter()
                .take_while(|info| self::part(&info.path) == part);
            let (own, later) = rest.split_at(same.count());
            rest = later;
            let next = self.group(part, own);
            match groups.last_mut() {
                Some(last) if last.continues_with(&next) => last.join(&next),
                _ => groups.push(next),
            }
        }
        groups.into_iter().map(Numbered::named).collect()
    }

    fn group(&self, (stem, number): (&str, Option<usize>), own: &[ParameterInfo]) -> Numbered {
        let mut group = ParameterGroup {
            name: stem.to_owned(),
            parameters: own.iter().map(ParameterInfo::len).sum(),
            is_adapter: own.iter().any(|info| is_factor(&info.path)),
            trained_in: Vec::new(),
            partly_trained_in: Vec::new(),
        };
        for (name, stage) in self.stages() {
            let frozen = |info: &&ParameterInfo| !stage.learns(&info.path);
            match own.iter().filter(frozen).count() {
                0 => group.trained_in.push(name.to_owned()),
                count if count < own.len() => group.partly_trained_in.push(name.to_owned()),
                _ => {}
            }
        }
        Numbered {
            group,
            numbers: number.map(|number| (number, number + 1)),
        }
    }
}

/// Parameters that a stage updates in the same way.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct UpdateGroup {
    /// The stage.
    pub stage: String,
    /// The targets of the entry of `optimizer.groups`; empty for what belongs to none.
    pub on: Vec<String>,
    /// The learning rate at its peak.
    pub learning_rate: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Numbers it holds.
    pub parameters: usize,
}

impl Recipe {
    /// What each stage's optimizer does with which parameters: what belongs to no group first, then
    /// the groups, and of each what is decayed before what is not.
    #[must_use]
    pub fn update_groups(&self, parameters: &[ParameterInfo]) -> Vec<UpdateGroup> {
        let mut all = Vec::new();
        for (name, stage) in self.stages() {
            let Optimizer::AdamW(adamw) = &stage.optimizer;
            let mut found: Vec<(ParameterOptions, usize)> = Vec::new();
            let learning = parameters.iter().filter(|info| stage.learns(&info.path));
            for info in learning {
                let options = adamw.options_of(info);
                match found.iter_mut().find(|(known, _)| *known == options) {
                    Some((_, count)) => *count += info.len(),
                    None => found.push((options, info.len())),
                }
            }
            found.sort_by(|(one, _), (other, _)| {
                let decay = other.weight_decay.total_cmp(&one.weight_decay);
                one.group.cmp(&other.group).then(decay)
            });
            all.extend(found.into_iter().map(|(options, parameters)| UpdateGroup {
                stage: name.to_owned(),
                on: options.group.map_or_else(Vec::new, |index| {
                    adamw.groups[index]
                        .on
                        .iter()
                        .map(ToString::to_string)
                        .collect()
                }),
                learning_rate: options.learning_rate,
                weight_decay: options.weight_decay,
                parameters,
            }));
        }
        all
    }
}

/// The part a parameter belongs to: component and field, and the number within a numbered field. Of
/// an encoder made of others the field is that of one of them: `vision.parts.0.layers`.
fn part(path: &str) -> (&str, Option<usize>) {
    let before_field = match path.split('.').nth(1) {
        Some("parts") => 3,
        _ => 1,
    };
    let dots = path.match_indices('.').map(|(place, _)| place);
    let mut dots = dots.skip(before_field);
    let Some(field_end) = dots.next() else {
        return (path, None);
    };
    let number_end = dots.next().unwrap_or(path.len());
    match path[field_end + 1..number_end].parse() {
        Ok(number) => (&path[..field_end], Some(number)),
        Err(_) => (&path[..field_end], None),
    }
}

/// A group with the half-open range of numbers it spans.
struct Numbered {
    group: ParameterGroup,
    numbers: Option<(usize, usize)>,
}

impl Numbered {
    fn continues_with(&self, next: &Self) -> bool {
        let (Some((_, end)), Some((start, _))) = (self.numbers, next.numbers) else {
            return false;
        };
        end == start
            && self.group.name == next.group.name
            && self.group.trained_in == next.group.trained_in
            && self.group.partly_trained_in == next.group.partly_trained_in
    }

    fn join(&mut self, next: &Self) {
        self.group.parameters += next.group.parameters;
        if let (Some((_, end)), Some((_, last))) = (&mut self.numbers, next.numbers) {
            *end = last;
        }
    }

    fn named(mut self) -> ParameterGroup {
        if let Some((start, end)) = self.numbers {
            self.group.name.push_str(&format!(".{start}..{end}"));
        }
        self.group
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameters_part_is_its_field_and_number() {
        assert_eq!(
            part("vision.class_embedding"),
            ("vision.class_embedding", None)
        );
        assert_eq!(part("llm.norm.gamma"), ("llm.norm", None));
        assert_eq!(
            part("llm.layers.12.mlp.up.weight"),
            ("llm.layers", Some(12))
        );
        assert_eq!(
            part("vision.parts.1.layers.12.mlp.fc1.weight"),
            ("vision.parts.1.layers", Some(12))
        );
        assert_eq!(
            part("vision.parts.0.class_token"),
            ("vision.parts.0.class_token", None)
        );
    }
}
