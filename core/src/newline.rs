//! The vector that ends a row of an image of several squares: LLaVA-NeXT's `image_newline`.

use burn::module::{
    Content, Devices, DisplaySettings, Initializer, Module, ModuleDisplay, ModuleDisplayDefault,
    ModuleMapper, ModuleVisitor, Param,
};
use burn::tensor::{Device, Tensor};

use crate::projector::Projector;
use crate::slot::Slot;

/// Its name in the projector's module, and in checkpoints.
pub(crate) const IMAGE_NEWLINE: &str = "image_newline";

/// A projector of any plugin with the vector beside it. Its parameters keep their paths.
#[derive(Debug, Clone)]
pub(crate) struct WithNewline {
    projector: Slot<dyn Projector>,
    /// `[hidden]`
    image_newline: Param<Tensor<1>>,
}

impl WithNewline {
    /// Drawn as LLaVA-NeXT's is: normal, with a deviation of `1 / sqrt(hidden)`.
    pub(crate) fn new(projector: Slot<dyn Projector>, hidden_size: usize, device: &Device) -> Self {
        let initializer = Initializer::Normal {
            mean: 0.0,
            std: 1.0 / (hidden_size as f64).sqrt(),
        };
        Self {
            projector,
            image_newline: initializer.init([hidden_size], device),
        }
    }

    fn replace(
        self,
        projector: impl FnOnce(Slot<dyn Projector>) -> Slot<dyn Projector>,
        vector: impl FnOnce(Param<Tensor<1>>) -> Param<Tensor<1>>,
    ) -> Self {
        Self {
            projector: projector(self.projector),
            image_newline: vector(self.image_newline),
        }
    }
}

impl Projector for WithNewline {
    /// `[batch, token, feature]` -> `[batch, visual_token, hidden]`
    fn forward(&self, features: Tensor<3>) -> Tensor<3> {
        self.projector.forward(features)
    }

    fn newline(&self) -> Option<Tensor<1>> {
        Some(self.image_newline.val())
    }
}

const CONTAINER: &str = "Struct:WithNewline";

impl Module for WithNewline {
    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        self.projector.visit(visitor);
        visitor.enter_module(IMAGE_NEWLINE, CONTAINER);
        self.image_newline.visit(visitor);
        visitor.exit_module(IMAGE_NEWLINE, CONTAINER);
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        let projector = self.projector.map(mapper);
        mapper.enter_module(IMAGE_NEWLINE, CONTAINER);
        let image_newline = Module::map(self.image_newline, mapper);
        mapper.exit_module(IMAGE_NEWLINE, CONTAINER);
        Self {
            projector,
            image_newline,
        }
    }

    fn collect_devices(&self, devices: Devices) -> Devices {
        self.image_newline
            .collect_devices(self.projector.collect_devices(devices))
    }

    fn fork(self, device: &Device) -> Self {
        self.replace(|own| own.fork(device), |own| own.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        self.replace(|own| own.to_device(device), |own| own.to_device(device))
    }

    fn train(self) -> Self {
        self.replace(Module::train, Module::train)
    }

    fn valid(&self) -> Self {
        Self {
            projector: self.projector.valid(),
            image_newline: self.image_newline.valid(),
        }
    }

    fn materialize(self) -> Self {
        self.replace(Module::materialize, Module::materialize)
    }
}

impl ModuleDisplayDefault for WithNewline {
    fn content(&self, content: Content) -> Option<Content> {
        content.optional()
    }

    fn num_params(&self) -> usize {
        Module::num_params(self)
    }
}

impl ModuleDisplay for WithNewline {
    fn format(&self, _settings: DisplaySettings) -> String {
        format!("{self:?}")
    }
}
