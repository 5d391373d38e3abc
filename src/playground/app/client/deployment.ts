/** Settings of the operator, served beside the page. */
interface Deployment {
  verifies_email: boolean;
}

/** Whether the server mails links that verify addresses; true if the settings cannot be read. */
export async function verifiesEmails(): Promise<boolean> {
  try {
    const response = await fetch(new URL('playground.json', document.baseURI));
    return ((await response.json()) as Deployment).verifies_email;
  } catch {
    return true;
  }
}
