//! Ranges and references within a recipe.

use super::data::DataTable;
use super::error::RecipeError;
use super::freeze::{FreezeError, FreezePattern};
use super::optimizer::{AdamW, Optimizer};
use super::stage::{Schedule, Stage};
use super::{Component, Recipe};

/// Checks what the types cannot say. The first fault is given.
pub(super) fn check(recipe: &Recipe) -> Result<(), RecipeError> {
    let rule = Rule(recipe);
    rule.holds(!recipe.name.is_empty(), "name", "must not be empty")?;
    rule.at_least_one(recipe.max_tokens, "max_tokens")?;
    check_stage_names(recipe)?;
    for (name, stage) in &recipe.stage {
        check_stage(recipe, name, stage)?;
    }
    if recipe.cache_features {
        check_frozen(recipe)?;
    }
    if let Some(generation) = &recipe.llm.generation {
        let key = |name| format!("llm.generation.{name}");
        rule.positive_or_zero(generation.temperature, &key("temperature"))?;
        let top_p = generation.top_p > 0.0 && generation.top_p <= 1.0;
        rule.holds(top_p, &key("top_p"), "must be above 0 and at most 1")?;
        rule.ratio(generation.min_p, &key("min_p"))?;
        let penalty = generation.repetition_penalty;
        rule.holds(penalty > 0.0, &key("repetition_penalty"), "must be above 0")?;
        rule.at_least_one(generation.max_new_tokens, &key("max_new_tokens"))?;
    }
    if let Some(eval) = &recipe.eval {
        rule.paths(&eval.data.conversations, "eval.data.conversations")?;
        rule.at_least_one(eval.batch_size, "eval.batch_size")?;
        if let Some(tokens) = eval.max_new_tokens {
            rule.at_least_one(tokens, "eval.max_new_tokens")?;
        }
        if let Some(steps) = eval.every_steps {
            rule.at_least_one(steps, "eval.every_steps")?;
        }
        if let Some(limit) = eval.limit {
            rule.at_least_one(limit, "eval.limit")?;
        }
    }
    if let Some(checkpoint) = &recipe.checkpoint {
        if let Some(steps) = checkpoint.every_steps {
            rule.at_least_one(steps, "checkpoint.every_steps")?;
        }
        rule.positive_or_zero(checkpoint.every_minutes, "checkpoint.every_minutes")?;
        rule.at_least_one(checkpoint.keep, "checkpoint.keep")?;
    }
    Ok(())
}

fn check_stage_names(recipe: &Recipe) -> Result<(), RecipeError> {
    let allowed = || recipe.stage.keys().cloned().collect::<Vec<_>>();
    for (index, name) in recipe.stages.iter().enumerate() {
        let key = format!("stages.{index}");
        if !recipe.stage.contains_key(name) {
            return Err(RecipeError::UnknownStage {
                origin: recipe.origins.at(&key),
                name: name.clone(),
                allowed: allowed(),
            });
        }
        let is_first = !recipe.stages[..index].contains(name);
        let message = format!("`{name}` is listed twice; give each run of it a table of its own");
        Rule(recipe).holds(is_first, &key, &message)?;
    }
    for name in recipe.stage.keys() {
        let key = format!("stage.{name}");
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
        let message = "a stage's name consists of a-z, 0-9, `_` and `-`";
        Rule(recipe).holds(
            !name.is_empty() && name.chars().all(is_plain),
            &key,
            message,
        )?;
    }
    Ok(())
}

/// Whether no stage changes the encoder.
fn check_frozen(recipe: &Recipe) -> Result<(), RecipeError> {
    let rule = Rule(recipe);
    for (name, stage) in recipe.stages() {
        let whole = |target: &FreezePattern| {
            target.is_component() && target.component() == Component::Vision
        };
        let message = "`cache_features` keeps what an encoder makes of an image, so no stage may \
                       train any of it: name `\"vision\"` here, or leave `cache_features` out";
        let is_frozen = stage.freeze.iter().any(whole);
        rule.holds(is_frozen, &format!("stage.{name}.freeze"), message)?;
        let on = stage.lora.iter().flat_map(|lora| &lora.on);
        for (index, target) in on.enumerate() {
            let message = "`cache_features` keeps what an encoder makes of an image, so no adapter \
                           may lie on it: take this target out, or leave `cache_features` out";
            let is_fine = target.component() != Component::Vision;
            rule.holds(is_fine, &format!("stage.{name}.lora.on.{index}"), message)?;
        }
    }
    Ok(())
}

fn check_stage(recipe: &Recipe, name: &str, stage: &Stage) -> Result<(), RecipeError> {
    let rule = Rule(recipe);
    let key = |rest: &str| format!("stage.{name}.{rest}");
    let is_frozen = |component: Component| {
        let mut targets = stage.freeze.iter();
        targets.any(|target| target.is_component() && target.component() == component)
    };
    if stage.lora.is_none() && Component::ALL.into_iter().all(is_frozen) {
        return Err(RecipeError::Freeze {
            origin: recipe.origins.at(&key("freeze")),
            stage: name.to_owned(),
            error: FreezeError::Everything,
        });
    }

    let both = stage.epochs.is_some() && stage.steps.is_some();
    rule.holds(!both, &key("steps"), "state `epochs` or `steps`, not both")?;
    if let Some(epochs) = stage.epochs {
        let fine = epochs > 0.0 && epochs.is_finite();
        rule.holds(fine, &key("epochs"), "must be above 0")?;
    }
    if let Some(steps) = stage.steps {
        rule.at_least_one(steps, &key("steps"))?;
    }
    rule.at_least_one(stage.batch_size, &key("batch_size"))?;
    let micro = stage.micro_batch_size();
    rule.at_least_one(micro, &key("micro_batch_size"))?;
    let message = format!(
        "must be at most `batch_size`, which is {}",
        stage.batch_size
    );
    rule.holds(
        micro <= stage.batch_size,
        &key("micro_batch_size"),
        &message,
    )?;
    if let Some(lora) = &stage.lora {
        rule.at_least_one(lora.rank, &key("lora.rank"))?;
        let alpha = lora.alpha > 0.0 && lora.alpha.is_finite();
        rule.holds(alpha, &key("lora.alpha"), "must be above 0")?;
        let dropout = (0.0..1.0).contains(&lora.dropout);
        let message = "must be 0 or more and below 1";
        rule.holds(dropout, &key("lora.dropout"), message)?;
        let message = "must name at least one part of the model";
        rule.holds(!lora.on.is_empty(), &key("lora.on"), message)?;
    }
    rule.positive_or_zero(stage.max_grad_norm, &key("max_grad_norm"))?;
    rule.positive_or_zero(stage.max_loss_ratio, &key("max_loss_ratio"))?;
    check_data(recipe, &stage.data, &key("data"))?;

    let Optimizer::AdamW(adamw) = &stage.optimizer;
    check_adamw(&rule, &key("optimizer"), adamw)?;

    let warmup_ratio = match &stage.schedule {
        Schedule::Cosine(cosine) => cosine.warmup_ratio,
        Schedule::Constant(constant) => constant.warmup_ratio,
    };
    rule.ratio(warmup_ratio, &key("schedule.warmup_ratio"))
}

/// `key`: that of the table.
fn check_data(recipe: &Recipe, data: &DataTable, key: &str) -> Result<(), RecipeError> {
    let rule = Rule(recipe);
    let mix = format!("{key}.mix");
    match (&data.conversations, &data.mix[..]) {
        (None, []) => {
            let message = "must name data: state `conversations`, or `mix` for several sets";
            rule.holds(false, key, message)?;
        }
        (Some(_), [_, ..]) => {
            let message = "state `conversations` or `mix`, not both; a set of `mix` has \
                           `conversations` of its own";
            rule.holds(false, &mix, message)?;
        }
        (Some(paths), []) => rule.paths(paths, &format!("{key}.conversations"))?,
        (None, _) => {}
    }
    for (index, set) in data.mix.iter().enumerate() {
        let key = |rest: &str| format!("{mix}.{index}.{rest}");
        rule.paths(&set.conversations, &key("conversations"))?;
        let fine = set.weight > 0.0 && set.weight.is_finite();
        let message = "must be above 0; leave a set out that is not to be learned";
        rule.holds(fine, &key("weight"), message)?;
    }
    Ok(())
}

fn check_adamw(rule: &Rule<'_>, table: &str, adamw: &AdamW) -> Result<(), RecipeError> {
    let key = |name: &str| format!("{table}.{name}");
    rule.positive_or_zero(adamw.learning_rate, &key("learning_rate"))?;
    rule.positive_or_zero(adamw.weight_decay, &key("weight_decay"))?;
    for (beta, name) in [(adamw.beta1, "beta1"), (adamw.beta2, "beta2")] {
        let fine = (0.0..1.0).contains(&beta);
        rule.holds(fine, &key(name), "must be 0 or more and below 1")?;
    }
    rule.holds(adamw.epsilon > 0.0, &key("epsilon"), "must be above 0")?;
    for (index, group) in adamw.groups.iter().enumerate() {
        let key = |name: &str| format!("{table}.groups.{index}.{name}");
        let message = "must name at least one part of the model";
        rule.holds(!group.on.is_empty(), &key("on"), message)?;
        let states = group.learning_rate.is_some() || group.weight_decay.is_some();
        let message =
            "the group states neither `learning_rate` nor `weight_decay`, so it changes nothing";
        rule.holds(states, &key("on"), message)?;
        rule.positive_or_zero(group.learning_rate.unwrap_or(0.0), &key("learning_rate"))?;
        rule.positive_or_zero(group.weight_decay.unwrap_or(0.0), &key("weight_decay"))?;
    }
    Ok(())
}

struct Rule<'r>(&'r Recipe);

impl Rule<'_> {
    fn holds(&self, holds: bool, key: &str, message: &str) -> Result<(), RecipeError> {
        if holds {
            return Ok(());
        }
        Err(RecipeError::Invalid {
            origin: self.0.origins.at(key),
            key: key.to_owned(),
            message: message.to_owned(),
        })
    }

    fn at_least_one(&self, number: usize, key: &str) -> Result<(), RecipeError> {
        self.holds(number > 0, key, "must be 1 or more")
    }

    fn positive_or_zero(&self, number: f64, key: &str) -> Result<(), RecipeError> {
        self.holds(
            number >= 0.0 && number.is_finite(),
            key,
            "must be 0 or more",
        )
    }

    fn ratio(&self, number: f64, key: &str) -> Result<(), RecipeError> {
        self.holds(
            (0.0..=1.0).contains(&number),
            key,
            "must be between 0 and 1",
        )
    }

    fn paths(&self, paths: &[std::path::PathBuf], key: &str) -> Result<(), RecipeError> {
        self.holds(!paths.is_empty(), key, "must name at least one file")
    }
}
