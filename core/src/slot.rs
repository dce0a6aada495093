//! [`Slot`]: a boxed plugin that is a Burn [`Module`].
//!
//! Burn's visitors and mappers have methods generic over the rank of a parameter, so they do not
//! cross a `dyn` border. A slot erases them on the way in and restores them on the way out, so an
//! optimizer, a record, LoRA or a freeze sees the parameters of a boxed plugin as if it were a
//! plain field.

mod mapper;
mod visitor;

use std::fmt::{Debug, Formatter};
use std::ops::Deref;

use burn::module::{
    Content, Devices, DisplaySettings, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper,
    ModuleVisitor,
};
use burn::tensor::Device;

use mapper::{DynMapper, FromDynMapper, ToDynMapper};
use visitor::{DynVisitor, FromDynVisitor, ToDynVisitor};

/// Some [`Module`] seen as a `T`, for example `Slot<dyn Encoder>`.
///
/// Dereferences to `T`. Cloning clones the module, whose tensors both share until one is changed. It
/// is `Send` and `Sync`, as every plugin must be.
pub struct Slot<T: ?Sized> {
    inner: Box<dyn Erased<T>>,
}

impl<T: ?Sized + 'static> Slot<T> {
    /// Puts `module` into a slot; `view` is the cast to the trait object, `|m| m`.
    pub fn new<M: Module + Sync + 'static>(module: M, view: fn(&M) -> &T) -> Self {
        Self {
            inner: Box::new(Held { module, view }),
        }
    }
}

/// What [`Module`] offers, without generics.
trait Erased<T: ?Sized>: Send + Sync {
    fn view(&self) -> &T;
    fn clone_box(&self) -> Box<dyn Erased<T>>;
    fn debug(&self, f: &mut Formatter<'_>) -> std::fmt::Result;
    fn visit(&self, visitor: &mut dyn DynVisitor);
    fn map(self: Box<Self>, mapper: &mut dyn DynMapper) -> Box<dyn Erased<T>>;
    fn collect_devices(&self, devices: Devices) -> Devices;
    fn fork(self: Box<Self>, device: &Device) -> Box<dyn Erased<T>>;
    fn to_device(self: Box<Self>, device: &Device) -> Box<dyn Erased<T>>;
    fn train(self: Box<Self>) -> Box<dyn Erased<T>>;
    fn valid(&self) -> Box<dyn Erased<T>>;
    fn materialize(self: Box<Self>) -> Box<dyn Erased<T>>;
}

struct Held<M, T: ?Sized> {
    module: M,
    view: fn(&M) -> &T,
}

impl<M: Module + Sync + 'static, T: ?Sized + 'static> Held<M, T> {
    fn replace(self, change: impl FnOnce(M) -> M) -> Box<dyn Erased<T>> {
        Box::new(Self {
            module: change(self.module),
            view: self.view,
        })
    }
}

impl<M: Module + Sync + 'static, T: ?Sized + 'static> Erased<T> for Held<M, T> {
    fn view(&self) -> &T {
        (self.view)(&self.module)
    }

    fn clone_box(&self) -> Box<dyn Erased<T>> {
        Box::new(Self {
            module: self.module.clone(),
            view: self.view,
        })
    }

    fn debug(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        self.module.fmt(f)
    }

    fn visit(&self, visitor: &mut dyn DynVisitor) {
        self.module.visit(&mut ToDynVisitor(visitor));
    }

    fn map(self: Box<Self>, mapper: &mut dyn DynMapper) -> Box<dyn Erased<T>> {
        self.replace(|module| module.map(&mut ToDynMapper(mapper)))
    }

    fn collect_devices(&self, devices: Devices) -> Devices {
        self.module.collect_devices(devices)
    }

    fn fork(self: Box<Self>, device: &Device) -> Box<dyn Erased<T>> {
        self.replace(|module| module.fork(device))
    }

    fn to_device(self: Box<Self>, device: &Device) -> Box<dyn Erased<T>> {
        self.replace(|module| module.to_device(device))
    }

    fn train(self: Box<Self>) -> Box<dyn Erased<T>> {
        self.replace(Module::train)
    }

    fn valid(&self) -> Box<dyn Erased<T>> {
        Box::new(Self {
            module: self.module.valid(),
            view: self.view,
        })
    }

    fn materialize(self: Box<Self>) -> Box<dyn Erased<T>> {
        self.replace(Module::materialize)
    }
}

impl<T: ?Sized> Deref for Slot<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.inner.view()
    }
}

impl<T: ?Sized> Clone for Slot<T> {
    fn clone(&self) -> Self {
        self.inner.clone_box().into()
    }
}

impl<T: ?Sized> Debug for Slot<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        self.inner.debug(f)
    }
}

impl<T: ?Sized> From<Box<dyn Erased<T>>> for Slot<T> {
    fn from(inner: Box<dyn Erased<T>>) -> Self {
        Self { inner }
    }
}

impl<T: ?Sized + 'static> Module for Slot<T> {
    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        self.inner.visit(&mut FromDynVisitor(visitor));
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        self.inner.map(&mut FromDynMapper(mapper)).into()
    }

    fn collect_devices(&self, devices: Devices) -> Devices {
        self.inner.collect_devices(devices)
    }

    fn fork(self, device: &Device) -> Self {
        self.inner.fork(device).into()
    }

    fn to_device(self, device: &Device) -> Self {
        self.inner.to_device(device).into()
    }

    fn train(self) -> Self {
        self.inner.train().into()
    }

    fn valid(&self) -> Self {
        self.inner.valid().into()
    }

    fn materialize(self) -> Self {
        self.inner.materialize().into()
    }
}

impl<T: ?Sized + 'static> ModuleDisplayDefault for Slot<T> {
    fn content(&self, content: Content) -> Option<Content> {
        content.optional()
    }

    fn num_params(&self) -> usize {
        Module::num_params(self)
    }
}

impl<T: ?Sized + 'static> ModuleDisplay for Slot<T> {
    fn format(&self, _settings: DisplaySettings) -> String {
        format!("{self:?}")
    }
}
