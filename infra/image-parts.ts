/** What of the repository the connector's image is made from, as connector/Dockerfile.dockerignore has it. */
export const imageParts = ['package.json', 'package-lock.json', 'connector', 'shared'] as const
