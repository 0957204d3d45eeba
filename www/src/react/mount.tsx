import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import type { Auth } from "tokenkeep/session";
import { AuthProvider } from "tokenkeep/react";

import { Page } from "./page.js";

/** Shows the page in this element. Returns what ends that. */
export function mount(element: HTMLElement, auth: Auth | Promise<Auth>, api: string): () => void {
  const root = createRoot(element);
  root.render(
    <StrictMode>
      <AuthProvider auth={auth}>
        <Page api={api} />
      </AuthProvider>
    </StrictMode>,
  );
  return () => root.unmount();
}
