// How often a device may ask for its tokens (RFC 8628 §3.2 and §3.5): oidc-provider does not say, and does not mind.

/** How much longer than before a device that asked too soon has to wait, in seconds. */
const LONGER = 5;

export function devicePace(interval, deviceCodeLifetime) {
  /** When each device asked last, and how long it has to wait now. */
  const devices = new Map();

  return async (ctx, next) => {
    await next();
    if (ctx.path === '/device/auth' && ctx.status === 200) {
      for (const [code, { until }] of devices) {
        if (until < Date.now()) devices.delete(code);
      }
      devices.set(ctx.body.device_code, { wait: interval, until: Date.now() + deviceCodeLifetime * 1000 });
      ctx.body = { ...ctx.body, interval };
    } else if (ctx.path === '/token' && ctx.body?.error === 'authorization_pending') {
      const device = devices.get(ctx.oidc.params.device_code);
      if (!device) return;
      if (Date.now() - device.asked < device.wait * 1000) {
        device.wait += LONGER;
        ctx.body = { error: 'slow_down', error_description: `ask every ${device.wait} seconds` };
      }
      device.asked = Date.now();
    }
  };
}
