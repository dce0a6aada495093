//! A model that learns one batch over and over.
#![allow(dead_code, reason = "each benchmark uses a part of it")]

use menagerie::burn::tensor::Device;
use menagerie::image::{Layout, Squares};
use menagerie::network::{Images, Network};
use menagerie::tokens::IGNORE;
use menagerie::train::{AdamW, AdamWConfig, GradientSet, Pass, PassOptions, Rates, trainable};
use menagerie::{Model, Recipe, RecipeSource};

use crate::noise::noise;
use crate::sizes::Size;

pub struct Training {
    model: Model,
    network: Network,
    optimizer: AdamW,
    ids: Vec<i64>,
    labels: Vec<i64>,
    images: Images,
    batch: usize,
}

impl Training {
    /// `stage` is `align` or `finetune`; the weights are drawn.
    pub fn new(size: &Size, stage: &str, dtype: &str, device: &Device) -> Self {
        let (_folder, path) = size.folder(1);
        let sets = [format!("dtype = {dtype:?}")];
        let recipe = Recipe::load_with(&RecipeSource::File(path), &sets).expect("a recipe");
        Self::of(&recipe, size, stage, device)
    }

    /// Of a recipe of this size. The batch is the same on every device.
    pub fn of(recipe: &Recipe, size: &Size, stage: &str, device: &Device) -> Self {
        let model = recipe.assemble_to_train(&[], device, &mut |_, _| {});
        let model = model.unwrap_or_else(|error| panic!("{error}"));
        let table = &recipe.stage[stage];
        let ids = size.prompt(size.width());
        let mut labels = ids.clone();
        labels[0] = IGNORE;
        let squares = Squares {
            pixels: noise(size.batch * model.image_processor(None).values()),
            layouts: vec![Layout::Square; size.batch],
        };
        let config = AdamWConfig {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
        };
        Self {
            network: trainable::for_stage(model.network().clone(), |path| table.learns(path)),
            images: model.images(squares).expect("an image"),
            model,
            optimizer: AdamW::new(config),
            ids,
            labels,
            batch: size.batch,
        }
    }

    /// Forward, backward, clipping and update. Gives the mean loss of a token before it.
    pub fn step(&mut self) -> f64 {
        let rows = vec![(self.ids.as_slice(), self.labels.as_slice()); self.batch];
        let pass = Pass::new(&self.model, &self.network, PassOptions::default());
        let done = pass.run(&rows, Some(self.images.clone()));
        drop(pass);
        let mut gradients = GradientSet::default();
        gradients.add(done.gradients);
        let tokens = done.supervised_tokens as f64;
        gradients.scale(1.0 / tokens);
        let norm = gradients.norm();
        gradients.clip(norm, 1.0);
        let rates = |_: &str| Rates {
            learning_rate: 1e-4,
            weight_decay: 0.0,
        };
        // As in training, nobody else holds the weights that are written over.
        let initial = self.model.network().clone();
        let network = std::mem::replace(&mut self.network, initial);
        self.network = self.optimizer.step(network, &gradients, rates);
        done.loss_sum / tokens
    }
}
